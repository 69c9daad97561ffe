// How other threads hand work to a loop: a group of completions costs one wake-up.
//
// The wake-up goes through an eventfd of our own and is given with no lock held. asio::post wakes
// the loop while it holds the scheduler's mutex: the loop would wake to wait for it.
//
// Promise. Mail is delivered on the loop's thread in the order of push, or, after close(), not at
// all: whoever holds a mailbox may push for ever, also after the server is gone.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace adtally::http {

class Connection;

enum class Mail : std::uint8_t { answer, stream_head, stream_data };

class Mailbox : public std::enable_shared_from_this<Mailbox> {
public:
    // Throws std::system_error when there is no descriptor left.
    explicit Mailbox(boost::asio::io_context& context);
    ~Mailbox();
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    // Any thread. False when nobody will read it.
    bool push(std::shared_ptr<Connection> to, Mail mail);

    // Marks the calling thread as the one that reads this mailbox, until leave(). Listening is work
    // for the context until stop_listening(); what comes later waits for close().
    void enter();
    void stop_listening();
    void leave();
    bool is_here() const;
    // Loop thread: nothing is delivered afterwards; what lay there is delivered now.
    void close();

private:
    using Executor = boost::asio::io_context::executor_type;
    struct Item {
        std::shared_ptr<Connection> to;
        Mail mail;
    };
    void listen();
    void deliver_all();

    const int wake_;  // an eventfd: as long as there is somebody who may push
    std::optional<boost::asio::posix::basic_stream_descriptor<Executor>> woken_;  // its reader
    std::uint64_t wakes_ = 0;
    std::mutex mutex_;
    bool open_ = true;
    std::vector<Item> items_;
    std::vector<Item> reading_;  // loop thread; keeps its memory
};

}  // namespace adtally::http
