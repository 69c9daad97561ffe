#include "platform/eventlog/kafka/kafka_consumer.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <utility>

#include "platform/eventlog/kafka/rights.hpp"

namespace adtally::eventlog::kafka {
namespace {

constexpr std::size_t messages_at_once = 10'000;
constexpr Milliseconds stopped_by{200};
// Of an error that concerns no single one.
constexpr Partition no_partition{-1};

using List = std::unique_ptr<rd_kafka_topic_partition_list_t,
                             decltype(&rd_kafka_topic_partition_list_destroy)>;

List make_list(std::size_t partitions) {
    return {rd_kafka_topic_partition_list_new(static_cast<int>(partitions)),
            rd_kafka_topic_partition_list_destroy};
}

void rebalance(rd_kafka_t*, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions,
               void* opaque) {
    static_cast<KafkaConsumer*>(opaque)->on_rebalance(code, partitions);
}

void error(rd_kafka_t*, int code, const char* reason, void* opaque) {
    static_cast<KafkaConsumer*>(opaque)->on_error(code, reason);
}

}  // namespace

Result<std::unique_ptr<KafkaConsumer>> KafkaConsumer::open(const ConsumerOptions& options,
                                                           std::string topic,
                                                           AssignmentListener& listener) {
    ADTALLY_TRY(auto reader, RangeReader::open(options.cluster, topic, options.question_timeout));
    ADTALLY_TRY(check_rights(options.cluster, options.group, topic, options.question_timeout));
    ADTALLY_TRY(auto conf, make_conf(options.cluster, properties_of(options)));
    std::unique_ptr<KafkaConsumer> consumer{
        new KafkaConsumer(std::move(topic), options, listener, std::move(reader))};
    rd_kafka_conf_set_opaque(conf.get(), consumer.get());
    rd_kafka_conf_set_rebalance_cb(conf.get(), rebalance);
    rd_kafka_conf_set_error_cb(conf.get(), error);
    ADTALLY_TRY(consumer->handle_, connect(Role::consumer, std::move(conf)));
    rd_kafka_t* handle = consumer->handle_.get();
    rd_kafka_poll_set_consumer(handle);
    consumer->queue_ = rd_kafka_queue_get_consumer(handle);
    if (options.group.empty()) {
        consumer->unassigned_ = options.partitions;
    } else {
        ADTALLY_TRY(consumer->join());
    }
    return consumer;
}

Status KafkaConsumer::join() {
    const List topics = make_list(1);
    rd_kafka_topic_partition_list_add(topics.get(), topic_.c_str(), RD_KAFKA_PARTITION_UA);
    if (const auto failure = rd_kafka_subscribe(handle_.get(), topics.get()); failure != 0)
        return to_error(failure, "joining the consumer group");
    return ok();
}

KafkaConsumer::KafkaConsumer(std::string topic, const ConsumerOptions& options,
                             AssignmentListener& listener, RangeReader reader)
    : topic_(std::move(topic)),
      may_have_holes_(options.may_have_holes),
      name_lease_(options.name_lease),
      on_name_lost_(options.on_name_lost),
      listener_(&listener),
      reader_(std::move(reader)) {}

KafkaConsumer::~KafkaConsumer() {
    listener_ = nullptr;
    cursors_.clear();
    if (handle_ == nullptr)
        return;
    must_apply_ = false;
    while (!settled_.passed())
        const Message dropped{
            rd_kafka_consumer_poll(handle_.get(), static_cast<int>(settled_.left().count()) + 1)};
    apply_positions();
    rd_kafka_consumer_close(handle_.get());
    if (queue_ != nullptr)
        rd_kafka_queue_destroy(queue_);
}

Status KafkaConsumer::poll(FetchedBatch& batch, std::size_t max_records, Deadline deadline) {
    batch.clear();
    if (max_records == 0 && !ended_) {
        serve_group();
        return ok();
    }
    if (cursors_.take(batch, max_records))
        return ok();
    ADTALLY_TRY(tell(batch, false));
    if (const std::int32_t count = std::exchange(unassigned_, 0); count > 0) {
        std::vector<Partition> all;
        all.reserve(static_cast<std::size_t>(count));
        for (std::int32_t i = 0; i < count; ++i) {
            all.push_back(Partition{i});
            cursors_.give(Partition{i});
        }
        listener_->on_assigned(all);
    }
    fetch(deadline);
    ADTALLY_TRY(tell(batch, false));
    if (cursors_.take(batch, max_records))
        return ok();
    return tell(batch, true);
}

// What is wrong, one thing a poll.
Status KafkaConsumer::tell(FetchedBatch& batch, bool again) {
    batch.partition = no_partition;
    if (ended_)
        return *ended_;
    all_down_ = false;
    if (auto failure = std::exchange(failure_, std::nullopt))
        return std::move(*failure);
    auto* failed = cursors_.failed(again);
    if (failed == nullptr)
        return ok();
    auto& [partition, cursor] = *failed;
    batch.partition = partition;
    cursor.told = true;
    return *cursor.failure;
}

// What comes with it waits for its poll.
void KafkaConsumer::serve_group() {
    if (Message first{rd_kafka_consumer_poll(handle_.get(), 0)})
        sort(std::move(first));
    apply_positions();
}

// Waits for one message, then takes those that are there: asking for many at once would wait until
// there are so many.
void KafkaConsumer::fetch(Deadline deadline) {
    for (const auto& [partition, cursor] : cursors_)
        must_apply_ = must_apply_ || cursor.due_again();
    apply_positions();
    Milliseconds patience = deadline.left();
    if (must_apply_ || must_unassign_)
        patience = std::min(patience, settled_.left() + Milliseconds{1});
    if (Message first{rd_kafka_consumer_poll(handle_.get(), static_cast<int>(patience.count()))}) {
        sort(std::move(first));
        std::array<rd_kafka_message_t*, messages_at_once> messages;
        const auto got = rd_kafka_consume_batch_queue(queue_, 0, messages.data(), messages.size());
        for (ssize_t i = 0; i < got; ++i)
            sort(Message{messages[static_cast<std::size_t>(i)]});
    }
    // A rebalance in between has given us partitions, or taken them.
    apply_positions();
}

// To its partition, if it is what comes next there.
void KafkaConsumer::sort(Message message) {
    if (message->err != 0)
        return failed(*message);
    cause_.clear();
    if (std::exchange(all_down_, false))
        failure_.reset();
    const Partition partition{message->partition};
    const Offset offset{message->offset};
    Cursor* cursor = cursors_.find(partition);
    if (cursor == nullptr || !cursor->applied || offset < cursor->next)
        return;
    if (offset > cursor->next && !may_have_holes_ && !passes_hole(partition, *cursor, offset))
        return;
    cursor->failure.reset();
    cursor->next = Offset{offset.value + 1};
    cursor->waiting.push_back(std::move(message));
}

// False when it is to be read again from where we stand.
bool KafkaConsumer::passes_hole(Partition partition, Cursor& cursor, Offset end) {
    if (cursor.has_holes)
        return true;
    FetchedBatch there;
    const Status read = reader_.read(partition, cursor.next, end, there);
    if (read && there.records.empty()) {
        cursor.has_holes = true;
        if (holes_told_.insert(partition).second)
            logger_.warn(
                "offsets without records are passed over and booked as expired, here and "
                "behind: does a transactional producer write to this topic?",
                {{"topic", std::string_view(topic_)},
                 {"partition", static_cast<std::int64_t>(partition.value)},
                 {"from", cursor.next.value},
                 {"to", end.value}});
        return true;
    }
    cursor.applied = false;
    if (!read) {
        cursor.sought = read.error().code != ErrorCode::not_found;
        cursor.fail(read.error());
    } else {
        cursor.fail({ErrorCode::corrupt,
                     fmt::format("{}/{}: the record at {} was not delivered, the next one is {}; "
                                 "it is read again",
                                 topic_, partition.value, cursor.next.value, end.value)});
    }
    return false;
}

void KafkaConsumer::failed(const rd_kafka_message_t& message) {
    const auto error = [&] {
        return to_error(message.err, fmt::format("reading {}", topic_),
                        rd_kafka_message_errstr(&message));
    };
    Cursor* cursor = cursors_.find(Partition{message.partition});
    switch (message.err) {
        case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        // Too long between two polls: the group takes the partitions back and gives them again.
        case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
            return;
        case RD_KAFKA_RESP_ERR__FATAL:
            return end_fatally();
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
            return end(error());
        case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
            if (cursor == nullptr || !cursor->applied)
                return;  // of an earlier position
            // Its fetching has ended with this; a seek begins it again.
            cursor->sought = cursor->applied = false;
            cursor->fail(error());
            cursor->failure->code = ErrorCode::not_found;
            must_apply_ = true;
            return;
        default:
            break;
    }
    Error said = error();
    if (said.code == ErrorCode::not_found)
        said.code = ErrorCode::unavailable;  // there is no such topic, or not yet
    // An error of the whole group has no offset, and stands at partition 0 for want of another.
    if (message.offset == RD_KAFKA_OFFSET_INVALID) {
        failure_ = std::move(said);
    } else if (cursor != nullptr && cursor->applied) {
        // librdkafka goes on behind what it could not read. We do not.
        cursor->applied = said.code != ErrorCode::corrupt;
        cursor->fail(std::move(said));
    }
}

// A connection that ends is made anew, and others go on: only when the last one is gone nothing can
// be read, which librdkafka says once. Then it is known by the connections' own words why.
void KafkaConsumer::on_error(int code, std::string_view detail) {
    if (is_of_one_connection(code))
        return cause_.note(code, detail);
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
        code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
        return end(to_error(code, "Kafka", detail));
    if (failure_)
        return;
    all_down_ = code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    auto known = cause_.known();
    failure_ = known && all_down_ ? std::move(*known) : to_error(code, "Kafka", detail);
}

// Another process has joined under this one's name.
void KafkaConsumer::end_fatally() {
    std::array<char, 512> reason{};
    const auto code = rd_kafka_fatal_error(handle_.get(), reason.data(), reason.size());
    end(to_error(code, "this reader's place in the consumer group is lost", reason.data()));
    if (code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID && on_name_lost_)
        on_name_lost_();
}

// Also for want of rights: librdkafka says that once and goes on trying in silence, and whoever
// opens a reader anew asks for them first. Whatever the group says later finds no cursors, so the
// listener hears of it once.
void KafkaConsumer::end(Error why) {
    if (!ended_)
        ended_ = std::move(why);
    revoke_all();
}

// Eager: everything is taken before anything is given.
void KafkaConsumer::on_rebalance(int code, rd_kafka_topic_partition_list_t* partitions) {
    if (code != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        revoke_all();
        must_unassign_ = true;
        apply_positions();
        return;
    }
    std::vector<Partition> given;
    given.reserve(static_cast<std::size_t>(partitions->cnt));
    for (int i = 0; i < partitions->cnt; ++i)
        given.push_back(Partition{partitions->elems[i].partition});
    for (const Partition partition : given)
        cursors_.give(partition);
    cause_.clear();
    // Nothing is fetched before it is sought.
    const List none = make_list(0);
    assign(none.get());
    if (listener_ != nullptr)
        listener_->on_assigned(given);
}

void KafkaConsumer::revoke_all() {
    const std::vector<Partition> taken = cursors_.clear();
    must_apply_ = false;
    if (listener_ != nullptr && !taken.empty())
        listener_->on_revoked(taken);
}

// librdkafka fetches what is sought, from where we stand: also what it had fetched already and we
// have not seen.
void KafkaConsumer::apply_positions() {
    if (!settled_.passed())
        return;
    if (std::exchange(must_unassign_, false))
        assign(nullptr);
    if (!must_apply_ || !settled_.passed())
        return;
    const List list = make_list(cursors_.size());
    for (const auto& [partition, cursor] : cursors_) {
        if (cursor.sought)
            rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), partition.value)->offset =
                cursor.next.value;
    }
    if (const int failure = assign(list.get()); failure != 0) {
        failure_ = to_error(failure, "taking up partitions of " + topic_);
        return;
    }
    must_apply_ = false;
    for (auto& [partition, cursor] : cursors_) {
        cursor.applied = cursor.sought;
        cursor.has_holes = false;  // of all: what librdkafka had of the others is read anew as well
    }
}

// What librdkafka had is stopped first. To be told to stop once more before that is done ends the
// process (2.0.2, rd_kafka_assignment_partition_stopped); when it is done it tells nobody, but it
// takes a millisecond or two.
int KafkaConsumer::assign(const rd_kafka_topic_partition_list_t* partitions) {
    if (assigned_ > 0)
        settled_ = Deadline::after(stopped_by);
    assigned_ = partitions == nullptr ? 0 : partitions->cnt;
    return rd_kafka_assign(handle_.get(), partitions);
}

Status KafkaConsumer::seek(Partition partition, Offset next) {
    Cursor* cursor = cursors_.find(partition);
    if (cursor == nullptr)
        return Error{ErrorCode::not_found,
                     fmt::format("{}/{} is not assigned to this reader", topic_, partition.value)};
    if (next.value < 0)
        return Error{ErrorCode::conflict,
                     fmt::format("{}/{} has no position {}", topic_, partition.value, next.value)};
    cursor->seek(next);
    must_apply_ = true;
    return ok();
}

Result<Watermarks> KafkaConsumer::watermarks(Partition partition) {
    return reader_.watermarks(partition);
}

Result<Offset> KafkaConsumer::offset_at(Partition partition, TimestampMs at) {
    return reader_.offset_at(partition, at);
}

Status KafkaConsumer::read(Partition partition, Offset from, Offset to, FetchedBatch& batch) {
    return reader_.read(partition, from, to, batch);
}

std::optional<Offset> KafkaConsumer::known_end(Partition partition) const {
    Watermarks known{};
    const auto failure = rd_kafka_get_watermark_offsets(
        handle_.get(), topic_.c_str(), partition.value, &known.begin.value, &known.end.value);
    if (failure != RD_KAFKA_RESP_ERR_NO_ERROR || known.end.value < 0)
        return std::nullopt;
    return known.end;
}

void KafkaConsumer::commit_hint(Partition partition, Offset next) {
    const List list = make_list(1);
    rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), partition.value)->offset =
        next.value;
    // Kept by librdkafka, sent every few seconds. A partition that is gone by now needs no hint.
    (void)rd_kafka_offsets_store(handle_.get(), list.get());
}

}  // namespace adtally::eventlog::kafka
