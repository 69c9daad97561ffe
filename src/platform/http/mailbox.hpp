// How other threads hand work to a loop: a group of completions costs one wake-up.
//
// Promise. Mail is delivered on the loop's thread in the order of push, or, after close(), not at
// all: whoever holds a mailbox may push for ever, also after the server is gone.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace adtally::http {

class Connection;

enum class Mail : std::uint8_t { answer, stream_head, stream_data };

class Mailbox : public std::enable_shared_from_this<Mailbox> {
public:
    explicit Mailbox(boost::asio::io_context& context) : context_(context) {}

    // Any thread. False when nobody will read it.
    bool push(std::shared_ptr<Connection> to, Mail mail);

    // Marks the calling thread as the one that reads this mailbox, until leave().
    void enter();
    void leave();
    bool is_here() const;
    // Loop thread: nothing is delivered afterwards; what lay there is delivered now.
    void close();

private:
    struct Item {
        std::shared_ptr<Connection> to;
        Mail mail;
    };
    void deliver_all();

    boost::asio::io_context& context_;  // used only while open
    std::mutex mutex_;
    bool open_ = true;
    std::vector<Item> items_;
    std::vector<Item> reading_;  // loop thread; keeps its memory
};

}  // namespace adtally::http
