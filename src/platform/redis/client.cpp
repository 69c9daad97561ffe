// hiredis is used for connecting, for formatting commands and for parsing replies. The waiting is
// our own: poll() with what is left of one deadline for a whole exchange, where SO_RCVTIMEO would
// start anew with every byte; and send() with MSG_NOSIGNAL, where hiredis' write() would raise
// SIGPIPE when Redis has gone.
#include "platform/redis/client.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/assert.hpp"

namespace adtally::redis {

namespace {

// More is refused with `too_large`; Redis itself ends at 1 GiB a connection.
constexpr std::size_t max_exchange_bytes = std::size_t{256} << 20;
// A buffer that grew beyond this is given back after the exchange.
constexpr std::size_t kept_buffer_bytes = std::size_t{16} << 20;

struct FreeContext {
    void operator()(redisContext* context) const { redisFree(context); }
};
struct FreeReply {
    void operator()(void* reply) const { freeReplyObject(reply); }
};
using ContextPointer = std::unique_ptr<redisContext, FreeContext>;

timeval to_timeval(Milliseconds span) {
    const std::int64_t count = std::max<std::int64_t>(span.count(), 1);  // 0 would mean for ever
    return timeval{static_cast<time_t>(count / 1'000),
                   static_cast<suseconds_t>(count % 1'000 * 1'000)};
}

Reply::Kind to_kind(int type) {
    if (type == REDIS_REPLY_STRING)
        return Reply::Kind::string;
    if (type == REDIS_REPLY_STATUS)
        return Reply::Kind::status;
    if (type == REDIS_REPLY_INTEGER)
        return Reply::Kind::integer;
    if (type == REDIS_REPLY_ARRAY)
        return Reply::Kind::array;
    if (type == REDIS_REPLY_ERROR)
        return Reply::Kind::error;
    ADTALLY_ASSERT(type == REDIS_REPLY_NIL);
    return Reply::Kind::nil;
}

// As deep as hiredis parses: 8 arrays.
Reply to_reply(const redisReply& raw) {
    Reply reply;
    reply.kind = to_kind(raw.type);
    reply.integer = raw.type == REDIS_REPLY_INTEGER ? raw.integer : 0;
    if (raw.str != nullptr)
        reply.text.assign(raw.str, raw.len);
    reply.elements.reserve(raw.elements);
    for (std::size_t i = 0; i < raw.elements; ++i)
        reply.elements.push_back(to_reply(*raw.element[i]));
    return reply;
}

// The error replies that say something about Redis and not about the command.
std::optional<ErrorCode> refusal(const Reply& reply) {
    constexpr std::array<std::string_view, 10> away{
        "LOADING",     "MASTERDOWN", "READONLY",   "BUSY",   "TRYAGAIN",
        "CLUSTERDOWN", "MISCONF",    "NOREPLICAS", "NOAUTH", "DENIED"};
    if (!reply.is_error())
        return std::nullopt;
    const std::string_view text = reply.text;
    const std::string_view word = text.substr(0, text.find(' '));
    if (word == "OOM")
        return ErrorCode::overloaded;
    if (std::find(away.begin(), away.end(), word) != away.end() ||
        text.starts_with("ERR max number of clients reached"))
        return ErrorCode::unavailable;
    return std::nullopt;
}

// False: the deadline passed first. What is ready is taken even then.
bool wait_until_ready(int fd, short events, Deadline deadline) {
    for (;;) {
        const bool last_look = deadline.passed();
        const Milliseconds left = last_look ? Milliseconds{0} : deadline.left() + Milliseconds{1};
        pollfd watched{fd, events, 0};
        if (::poll(&watched, 1, static_cast<int>(left.count())) > 0)
            return true;
        if (last_look)
            return false;
    }
}

// Nothing is outstanding, so anything readable is the end of the connection, or nothing that we
// could understand.
bool is_usable(const redisContext& context) {
    pollfd watched{context.fd, POLLIN | POLLRDHUP, 0};
    return ::poll(&watched, 1, 0) == 0;
}

// What goes out: commands in the protocol's form, counted. Written here and not by hiredis, whose
// formatter wants a copy of the words, makes a string of its own and has it copied: a twentieth of
// the processor's time.
struct Outbox {
    std::string bytes;
    std::size_t commands = 0;
    bool too_large = false;

    void append(Words words);
    void add_line(char kind, std::size_t number);
    void clear();
};

// An array of bulk strings: "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" (the Redis serialization protocol,
// redis.io/docs/reference/protocol-spec).
void Outbox::append(Words words) {
    ADTALLY_ASSERT(!words.empty());
    constexpr std::size_t longest_framing = 26;  // "$", 20 digits, two line ends
    ++commands;
    std::size_t total = bytes.size();
    for (const std::string_view word : words)
        total += word.size();
    too_large = too_large || total > max_exchange_bytes;
    if (too_large)
        return;
    bytes.reserve(total + (words.size() + 1) * longest_framing);
    add_line('*', words.size());
    for (const std::string_view word : words) {
        add_line('$', word.size());
        bytes.append(word).append("\r\n");
    }
}

void Outbox::add_line(char kind, std::size_t number) {
    char line[24];
    line[0] = kind;
    char* end = std::to_chars(line + 1, line + sizeof line - 2, number).ptr;
    *end++ = '\r';
    *end++ = '\n';
    bytes.append(line, end);
}

void Outbox::clear() {
    commands = 0;
    too_large = false;
    if (bytes.capacity() > kept_buffer_bytes)
        std::string{}.swap(bytes);
    bytes.clear();
}

}  // namespace

struct Client::Impl {
    explicit Impl(ClientOptions given) : options(std::move(given)) {}

    ClientOptions options;
    ContextPointer context;
    std::uint64_t generation = 0;
    Outbox outbox;
    std::optional<std::size_t> awaited;  // replies of what send() sent
    Deadline deadline{SteadyTime{}};     // of that exchange

    Status connect();
    Status greet(redisContext& fresh, Deadline until);
    Status write(redisContext& to, std::string_view bytes, Deadline until);
    Result<Reply> read(redisContext& from, Deadline until);
    Result<std::vector<Reply>> read_all(std::size_t count);
    Error failure(ErrorCode code, std::string_view why) const;
};

Error Client::Impl::failure(ErrorCode code, std::string_view why) const {
    return Error{code, fmt::format("{}: {}", to_string(options.endpoint), why)};
}

Status Client::Impl::connect() {
    if (context && is_usable(*context))
        return ok();
    context.reset();
    const Deadline until = Deadline::after(options.connect_timeout);
    const Endpoint& to = options.endpoint;
    const timeval timeout = to_timeval(options.connect_timeout);
    ContextPointer fresh{to.unix_path.empty()
                             ? redisConnectWithTimeout(to.host.c_str(), to.port, timeout)
                             : redisConnectUnixWithTimeout(to.unix_path.c_str(), timeout)};
    if (!fresh)
        return failure(ErrorCode::unavailable, "cannot connect: out of memory");
    if (fresh->err != 0)
        return failure(ErrorCode::unavailable, fmt::format("cannot connect: {}", fresh->errstr));
    ::fcntl(fresh->fd, F_SETFD, FD_CLOEXEC);
    redisSetTimeout(fresh.get(), to_timeval(options.command_timeout));
    if (to.unix_path.empty()) {
        const int on = 1;
        ::setsockopt(fresh->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        redisEnableKeepAlive(fresh.get());
    }
    ADTALLY_TRY(greet(*fresh, until));
    context = std::move(fresh);
    ++generation;
    return ok();
}

// AUTH and SELECT, where the endpoint asks for them.
Status Client::Impl::greet(redisContext& fresh, Deadline until) {
    const Endpoint& to = options.endpoint;
    const std::string database = std::to_string(to.database);
    Outbox greeting;
    if (!to.password.empty() && to.user.empty())
        greeting.append(std::array<std::string_view, 2>{"AUTH", to.password});
    else if (!to.password.empty())
        greeting.append(std::array<std::string_view, 3>{"AUTH", to.user, to.password});
    if (to.database != 0)
        greeting.append(std::array<std::string_view, 2>{"SELECT", database});

    Status sent = write(fresh, greeting.bytes, until);
    for (std::size_t i = 0; i < greeting.commands; ++i) {
        const Result<Reply> answer = sent ? read(fresh, until) : Result<Reply>{sent.error()};
        if (!answer)  // no command of the caller's has left: never `timed_out`
            return Error{ErrorCode::unavailable, answer.error().message};
        if (answer.value().is_error())
            return failure(ErrorCode::unavailable,
                           fmt::format("refused: {}; check the user, the password and the "
                                       "database of its URL",
                                       answer.value().text));
    }
    return ok();
}

Status Client::Impl::write(redisContext& to, std::string_view bytes, Deadline until) {
    while (!bytes.empty()) {
        const ssize_t count =
            ::send(to.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count >= 0)
            bytes.remove_prefix(static_cast<std::size_t>(count));
        else if (errno != EAGAIN && errno != EINTR)
            return failure(ErrorCode::unavailable, std::strerror(errno));
        else if (errno == EAGAIN && !wait_until_ready(to.fd, POLLOUT, until))
            return failure(ErrorCode::timed_out, "does not take the command in time");
    }
    return ok();
}

Result<Reply> Client::Impl::read(redisContext& from, Deadline until) {
    for (;;) {
        void* raw = nullptr;
        if (redisGetReplyFromReader(&from, &raw) != REDIS_OK)
            return failure(ErrorCode::unavailable,
                           fmt::format("does not speak Redis' protocol: {}", from.errstr));
        const std::unique_ptr<void, FreeReply> owned{raw};
        if (owned)
            return to_reply(*static_cast<const redisReply*>(raw));
        if (!wait_until_ready(from.fd, POLLIN, until))
            return failure(ErrorCode::timed_out,
                           fmt::format("no answer within {} ms", options.command_timeout.count()));
        if (redisBufferRead(&from) != REDIS_OK)
            return failure(ErrorCode::unavailable, from.errstr);
    }
}

// All replies are read, so that the connection stays in step, before a refusal among them is
// reported.
Result<std::vector<Reply>> Client::Impl::read_all(std::size_t count) {
    std::vector<Reply> replies;
    replies.reserve(count);
    std::optional<Error> refused;
    while (replies.size() < count) {
        Result<Reply> reply = read(*context, deadline);
        if (!reply) {
            context.reset();
            return refused ? *refused : reply.error();  // the first says why it hung up
        }
        const std::optional<ErrorCode> code = refusal(reply.value());
        if (code && !refused)
            refused = failure(*code, reply.value().text);
        replies.push_back(std::move(reply.value()));
    }
    if (!refused)
        return replies;
    if (refused->code == ErrorCode::unavailable)
        context.reset();
    return *refused;
}

Client::Client(ClientOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;

Result<Reply> Client::command(Words words) {
    ADTALLY_ASSERT(impl_->outbox.commands == 0);
    append(words);
    ADTALLY_TRY(auto replies, exchange());
    return std::move(replies.front());
}

Result<Reply> Client::command(std::initializer_list<std::string_view> words) {
    return command(Words{words.begin(), words.size()});
}

void Client::append(Words words) {
    impl_->outbox.append(words);
}

Result<std::vector<Reply>> Client::exchange() {
    ADTALLY_TRY(send());
    return receive();
}

Status Client::send() {
    Impl& impl = *impl_;
    ADTALLY_ASSERT(!impl.awaited);
    const std::size_t commands = impl.outbox.commands;
    Status sent = ok();
    if (impl.outbox.too_large)
        sent = impl.failure(ErrorCode::too_large,
                            fmt::format("one exchange is limited to {} bytes; send it in parts",
                                        max_exchange_bytes));
    else if (commands > 0)
        sent = impl.connect();
    if (sent && commands > 0) {
        impl.deadline = Deadline::after(impl.options.command_timeout);
        sent = impl.write(*impl.context, impl.outbox.bytes, impl.deadline);
        if (!sent)
            impl.context.reset();
    }
    impl.outbox.clear();
    if (sent)
        impl.awaited = commands;
    return sent;
}

Result<std::vector<Reply>> Client::receive() {
    ADTALLY_ASSERT(impl_->awaited);
    const std::size_t count = *impl_->awaited;
    impl_->awaited.reset();
    return impl_->read_all(count);
}

std::uint64_t Client::generation() const {
    return impl_->generation;
}

Status Client::connect() {
    ADTALLY_ASSERT(!impl_->awaited);
    return impl_->connect();
}

const Endpoint& Client::endpoint() const {
    return impl_->options.endpoint;
}

}  // namespace adtally::redis
