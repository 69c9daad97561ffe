// See mailbox.hpp.
#include "platform/http/mailbox.hpp"

#include <boost/asio/post.hpp>

#include "platform/http/connection.hpp"

namespace adtally::http {

namespace {
// A thread's id may be given to another thread once it has ended; this may not.
thread_local const Mailbox* mailbox_of_this_thread = nullptr;
}  // namespace

bool Mailbox::push(std::shared_ptr<Connection> to, Mail mail) {
    std::lock_guard lock(mutex_);
    if (!open_)
        return false;
    items_.push_back({std::move(to), mail});
    if (items_.size() == 1)
        boost::asio::post(context_, [self = shared_from_this()] { self->deliver_all(); });
    return true;
}

void Mailbox::enter() {
    mailbox_of_this_thread = this;
}

void Mailbox::leave() {
    mailbox_of_this_thread = nullptr;
}

bool Mailbox::is_here() const {
    return mailbox_of_this_thread == this;
}

void Mailbox::deliver_all() {
    {
        std::lock_guard lock(mutex_);
        reading_.swap(items_);
    }
    for (Item& item : reading_)
        item.to->deliver(item.mail);
    reading_.clear();
}

void Mailbox::close() {
    {
        std::lock_guard lock(mutex_);
        open_ = false;
    }
    deliver_all();
}

}  // namespace adtally::http
