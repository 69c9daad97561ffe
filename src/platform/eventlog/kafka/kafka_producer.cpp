#include "platform/eventlog/kafka/kafka_producer.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace adtally::eventlog::kafka {
namespace {

constexpr int poll_ms = 100;
constexpr std::string_view by_kafka = "Kafka: ";  // as the reasons of its connections begin

void report(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    static_cast<KafkaProducer*>(opaque)->on_report(message->_private, message->err);
}

void error(rd_kafka_t* handle, int code, const char* reason, void* opaque) {
    auto& producer = *static_cast<KafkaProducer*>(opaque);
    if (code != RD_KAFKA_RESP_ERR__FATAL)
        return producer.on_error(code, reason);
    producer.on_fatal(handle);
}

constexpr std::size_t batch_headroom = 64u << 10;
// A record alone in its batch, with its headers and Kafka's own framing, is so much larger.
constexpr std::size_t around_a_record = 4u << 10;

Properties properties_of(const ProducerOptions& options, std::size_t max_batch_bytes) {
    const auto deadline = std::to_string(options.deadline.count());
    return {
        {"enable.idempotence", "true"},
        {"partitioner", "murmur2_random"},
        {"linger.ms", std::to_string(options.linger.count())},
        {"message.timeout.ms", deadline},
        {"request.timeout.ms", deadline},
        {"compression.codec", "lz4"},
        {"message.max.bytes", std::to_string(max_batch_bytes)},
        {"batch.size", "1000000"},
        // Bounded in bytes by us and by kbytes, not by the number of records.
        {"queue.buffering.max.messages", "5000000"},
        {"queue.buffering.max.kbytes", std::to_string(2 * options.max_bytes_in_flight / 1024)},
    };
}

}  // namespace

// One append until its last record is reported.
struct KafkaProducer::Append {
    RecordBatch batch;
    AppendDone done;
    std::size_t bytes;
    std::atomic<std::uint32_t> open;
    std::atomic<int> failure{0};
    std::atomic<bool> some_written{false};
};

KafkaProducer::KafkaProducer(ProducerOptions options)
    : options_(std::move(options)),
      max_batch_bytes_(options_.max_record_bytes + batch_headroom),
      max_record_bytes_(options_.max_record_bytes) {
    client_ = make_client();
    reports_ = std::thread([this] { report_loop(); });
}

KafkaProducer::~KafkaProducer() {
    close();
}

std::unique_ptr<KafkaProducer::Client> KafkaProducer::make_client() {
    auto conf = make_conf(options_.cluster, properties_of(options_, max_batch_bytes_));
    if (!conf)
        throw std::runtime_error(conf.error().message);
    rd_kafka_conf_set_opaque(conf.value().get(), this);
    rd_kafka_conf_set_dr_msg_cb(conf.value().get(), report);
    rd_kafka_conf_set_error_cb(conf.value().get(), error);
    auto handle = connect(Role::producer, std::move(conf.value()));
    if (!handle)
        throw std::runtime_error(handle.error().message);
    auto client = std::make_unique<Client>();
    client->handle = std::move(handle.value());
    return client;
}

std::optional<Error> KafkaProducer::refusal(const RecordBatch& batch) const {
    for (std::size_t i = 0; i < batch.size(); ++i) {
        const auto [key, value] = batch[i];
        if (key.size() + value.size() > max_record_bytes_)
            return Error{ErrorCode::too_large,
                         fmt::format("a record of {} bytes is over the event log's limit of {}",
                                     key.size() + value.size(), max_record_bytes_.load())};
    }
    if (bytes_in_flight_ + batch.byte_size() > options_.max_bytes_in_flight)
        return Error{ErrorCode::overloaded, "too many bytes wait for Kafka: try again later"};
    return std::nullopt;
}

void KafkaProducer::append(std::string_view topic, RecordBatch batch, AppendDone done) {
    if (batch.empty())
        return done(ok());
    if (auto refused = refusal(batch))
        return done(std::move(*refused));
    Append* append = nullptr;
    std::uint32_t unsent = 1;
    {
        std::shared_lock lock(client_mutex_);
        if (!closing_ && client_ != nullptr) {
            append = begin(std::move(batch), done);
            unsent += send(*client_, topic, *append);
        }
    }
    if (append == nullptr && closing_)
        return done(Error{ErrorCode::unavailable, "the event log is closed"});
    if (append == nullptr)
        return done(Error{ErrorCode::unavailable,
                          "the connection to Kafka is made anew: " + health().reason});
    settle(*append, unsent);
}

// Freed by settle(). One more than its records is open until all have been handed over.
KafkaProducer::Append* KafkaProducer::begin(RecordBatch batch, AppendDone& done) {
    const std::size_t bytes = batch.byte_size();
    const auto open = static_cast<std::uint32_t>(batch.size()) + 1;
    appends_in_flight_ += 1;
    bytes_in_flight_ += bytes;
    return new Append{std::move(batch), std::move(done), bytes, open};
}

// How many of its records librdkafka did not take.
std::uint32_t KafkaProducer::send(Client& client, std::string_view topic, Append& append) {
    rd_kafka_topic_s* handle = topic_of(client, topic);
    const std::size_t records = append.batch.size();
    for (std::size_t i = 0; i < records; ++i) {
        if (const int failure = produce(client, handle, append, i); failure != 0) {
            // The handle may know the reason before its callback tells it.
            if (failure == RD_KAFKA_RESP_ERR__FATAL)
                note_fatal(client.handle.get());
            append.failure = failure;
            append.some_written = i > 0;  // or will be
            return static_cast<std::uint32_t>(records - i);
        }
    }
    return 0;
}

rd_kafka_topic_s* KafkaProducer::topic_of(Client& client, std::string_view name) {
    std::lock_guard lock(client.mutex);
    auto found = client.topics.find(name);
    if (found == client.topics.end()) {
        const std::string text{name};
        Topic made{rd_kafka_topic_new(client.handle.get(), text.c_str(), nullptr)};
        found = client.topics.emplace(text, std::move(made)).first;
    }
    return found->second.get();
}

// The bytes stay where they are: the append owns them until the report.
int KafkaProducer::produce(Client& client, rd_kafka_topic_s* topic, Append& append,
                           std::size_t index) {
    const auto [key, value] = append.batch[index];
    void* bytes = const_cast<char*>(value.data());  // librdkafka reads them only
    if (append.batch.headers().empty()) {
        if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, 0, bytes, value.size(), key.data(),
                             key.size(), &append) == 0)
            return 0;
        return rd_kafka_last_error();
    }
    rd_kafka_headers_t* headers = rd_kafka_headers_new(append.batch.headers().size());
    for (const Header& header : append.batch.headers())
        rd_kafka_header_add(headers, header.name.data(), static_cast<ssize_t>(header.name.size()),
                            header.value.data(), static_cast<ssize_t>(header.value.size()));
    std::array<rd_kafka_vu_t, 5> parts{};
    parts[0].vtype = RD_KAFKA_VTYPE_RKT;
    parts[0].u.rkt = topic;
    parts[1].vtype = RD_KAFKA_VTYPE_VALUE;
    parts[1].u.mem = {bytes, value.size()};
    parts[2].vtype = RD_KAFKA_VTYPE_KEY;
    parts[2].u.mem = {const_cast<char*>(key.data()), key.size()};
    parts[3].vtype = RD_KAFKA_VTYPE_HEADERS;
    parts[3].u.headers = headers;
    parts[4].vtype = RD_KAFKA_VTYPE_OPAQUE;
    parts[4].u.ptr = &append;
    using OwnedError = std::unique_ptr<rd_kafka_error_t, decltype(&rd_kafka_error_destroy)>;
    const OwnedError failure{rd_kafka_produceva(client.handle.get(), parts.data(), parts.size()),
                             rd_kafka_error_destroy};
    if (failure == nullptr)
        return 0;
    rd_kafka_headers_destroy(headers);
    return rd_kafka_error_code(failure.get());
}

void KafkaProducer::on_report(void* opaque, int code) {
    auto& append = *static_cast<Append*>(opaque);
    if (code == 0) {
        if (!append.some_written.load(std::memory_order_relaxed))
            append.some_written.store(true, std::memory_order_relaxed);
    } else {
        append.failure = code;
    }
    settle(append, 1);
}

// The last of its records frees the append.
void KafkaProducer::settle(Append& append, std::uint32_t records) {
    if (append.open.fetch_sub(records) != records)
        return;
    const std::unique_ptr<Append> ended{&append};
    bytes_in_flight_ -= append.bytes;
    appends_in_flight_ -= 1;
    const int failure = append.failure;
    if (failure == 0) {
        acknowledged_ += 1;
        if (troubled_)
            well();
        append.done(ok());
        return;
    }
    Error error = failed(failure);
    // The limit at the door is above the broker's: no fault of these records.
    if (error.code == ErrorCode::too_large) {
        limit_doubted_ = true;
        error.code = ErrorCode::unavailable;
    }
    if (append.some_written)
        error.code = ErrorCode::timed_out;
    append.done(std::move(error));
}

// That the time is over, or the client given up, says nothing of the reason: that was said before.
Error KafkaProducer::failed(int code) {
    constexpr std::string_view what = "Kafka did not acknowledge";
    Error error = to_error(code, what);
    std::string known = health().reason;
    if (error.code != ErrorCode::timed_out || known.empty()) {
        set_trouble(error.message);
    } else if (known.starts_with(what)) {
        error.message = std::move(known);
    } else {
        const std::string_view reason{known};
        const std::size_t start = reason.starts_with(by_kafka) ? by_kafka.size() : 0;
        error.message = fmt::format("{}: {}", what, reason.substr(start));
    }
    return error;
}

void KafkaProducer::on_error(int code, std::string_view detail) {
    cause_.note(code, detail);
    if (auto known = cause_.known())
        set_trouble(std::move(known->message));
}

void KafkaProducer::on_fatal(rd_kafka_s* handle) {
    note_fatal(handle);
    fatal_ = true;
}

void KafkaProducer::note_fatal(rd_kafka_s* handle) {
    std::array<char, 512> detail{};
    const int code = rd_kafka_fatal_error(handle, detail.data(), detail.size());
    set_trouble(to_error(code, "Kafka", detail.data()).message);
}

void KafkaProducer::set_trouble(std::string reason) {
    std::lock_guard lock(trouble_mutex_);
    trouble_ = std::move(reason);
    troubled_ = true;
}

void KafkaProducer::well() {
    cause_.clear();
    std::lock_guard lock(trouble_mutex_);
    trouble_.clear();
    troubled_ = false;
}

LogHealth KafkaProducer::health() const {
    LogHealth health;
    health.appends_in_flight = appends_in_flight_;
    health.bytes_in_flight = bytes_in_flight_;
    std::lock_guard lock(trouble_mutex_);
    health.up = trouble_.empty();
    health.reason = trouble_;
    return health;
}

// Ends when everything has been reported: each record's deadline sees to that.
void KafkaProducer::report_loop() {
    ::pthread_setname_np(::pthread_self(), "kafka-reports");
    // Only this thread replaces the client, so it may look at it without the lock.
    while (!closing_ || appends_in_flight_ > 0) {
        if (client_ == nullptr)
            replace_client();
        else if (closing_)
            rd_kafka_flush(client_->handle.get(), poll_ms);  // what lingers goes now
        else
            rd_kafka_poll(client_->handle.get(), poll_ms);
        if (client_ != nullptr && (fatal_ || renew_))
            end_client();
    }
}

// What of it is on its way is reported first.
void KafkaProducer::end_client() {
    std::unique_ptr<Client> old;
    {
        std::unique_lock lock(client_mutex_);
        old = std::move(client_);
    }
    renew_ = false;
    rd_kafka_t* handle = old->handle.get();
    while (rd_kafka_outq_len(handle) > 0) {
        // Its sequence is lost: nothing of it will be acknowledged any more. What was on its way
        // may have arrived, and is reported so.
        if (fatal_)
            rd_kafka_purge(handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(handle, poll_ms);
    }
    fatal_ = false;
    ++rebuilds_;
}

void KafkaProducer::set_broker_limit(std::size_t bytes) {
    const std::size_t batch = std::min(options_.max_record_bytes + batch_headroom, bytes);
    max_record_bytes_ =
        std::min(options_.max_record_bytes, batch > around_a_record ? batch - around_a_record : 0);
    if (max_batch_bytes_.exchange(batch) != batch)
        renew_ = true;
}

void KafkaProducer::replace_client() {
    try {
        auto made = make_client();
        std::unique_lock lock(client_mutex_);
        client_ = std::move(made);
    } catch (const std::runtime_error& failure) {
        set_trouble(failure.what());
        std::unique_lock lock(trouble_mutex_);
        closed_.wait_for(lock, Milliseconds{poll_ms}, [this] { return closing_.load(); });
    }
}

void KafkaProducer::close() {
    {
        std::unique_lock lock(client_mutex_);
        if (closing_.exchange(true))
            return;
    }
    closed_.notify_all();
    reports_.join();
    client_.reset();
}

}  // namespace adtally::eventlog::kafka
