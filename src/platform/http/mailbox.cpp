// See mailbox.hpp.
#include "platform/http/mailbox.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <system_error>

#include "base/assert.hpp"
#include "platform/http/connection.hpp"

namespace adtally::http {

namespace {
// A thread's id may be given to another thread once it has ended; this may not.
thread_local const Mailbox* mailbox_of_this_thread = nullptr;

int checked(int descriptor) {
    if (descriptor < 0)
        throw std::system_error(errno, std::generic_category(), "no descriptor for a mailbox");
    return descriptor;
}

}  // namespace

Mailbox::Mailbox(boost::asio::io_context& context)
    : wake_(checked(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))) {
    int reader = ::fcntl(wake_, F_DUPFD_CLOEXEC, 0);
    if (reader < 0) {
        int error = errno;
        ::close(wake_);
        throw std::system_error(error, std::generic_category(), "no descriptor for a mailbox");
    }
    woken_.emplace(context, reader);
}

Mailbox::~Mailbox() {
    ::close(wake_);
}

bool Mailbox::push(std::shared_ptr<Connection> to, Mail mail) {
    bool first = false;
    {
        std::lock_guard lock(mutex_);
        if (!open_)
            return false;
        first = items_.empty();
        items_.push_back({std::move(to), mail});
    }
    if (first) {
        // It can fail only when 2^64 - 1 wake-ups wait to be read.
        auto written = ::eventfd_write(wake_, 1);
        ADTALLY_ASSERT(written == 0);
    }
    return true;
}

void Mailbox::listen() {
    woken_->async_read_some(
        boost::asio::buffer(&wakes_, sizeof wakes_),
        [self = shared_from_this()](const boost::system::error_code& ec, std::size_t) {
            if (ec || !self->woken_)
                return;
            self->deliver_all();
            if (self->woken_)
                self->listen();
        });
}

void Mailbox::stop_listening() {
    woken_.reset();
}

void Mailbox::enter() {
    mailbox_of_this_thread = this;
    listen();
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
    woken_.reset();
    {
        std::lock_guard lock(mutex_);
        open_ = false;
    }
    deliver_all();
}

}  // namespace adtally::http
