#include "platform/eventlog/block_iterator.hpp"

#include <fmt/format.h>
#include <rocksdb/db.h>

#include "platform/eventlog/rocksdb_open.hpp"
#include "platform/eventlog/store_keys.hpp"

namespace adtally::eventlog {

BlockIterator::BlockIterator(rocksdb::DB& db, PartitionId id)
    : id_(id),
      lower_key_(partition_key(id.topic_id, 'r', id.partition)),
      upper_key_(partition_key(id.topic_id, 'r', Partition{id.partition.value + 1})),
      lower_(std::make_unique<rocksdb::Slice>(lower_key_)),
      upper_(std::make_unique<rocksdb::Slice>(upper_key_)) {
    rocksdb::ReadOptions options;
    options.verify_checksums = true;
    options.fill_cache = false;
    options.iterate_lower_bound = lower_.get();
    options.iterate_upper_bound = upper_.get();
    iterator_.reset(db.NewIterator(options));
}

BlockIterator::~BlockIterator() = default;

void BlockIterator::seek(Offset offset) {
    iterator_->SeekForPrev(block_key(id_.topic_id, id_.partition, offset));
}

void BlockIterator::next() {
    iterator_->Next();
}

bool BlockIterator::valid() const {
    return iterator_->Valid();
}

Status BlockIterator::status() const {
    const auto status = iterator_->status();
    if (status.ok())
        return ok();
    return to_error(status);
}

Result<BlockInfo> BlockIterator::check() const {
    const auto base = static_cast<std::int64_t>(
        load_be<std::uint64_t>(iterator_->key().data() + lower_key_.size()));
    const auto info = check_block(bytes());
    const auto where = [&] {
        return fmt::format("partition {}, block {}: ", id_.partition.value, base);
    };
    if (!info)
        return Error{info.error().code, where() + info.error().message};
    if (info.value().base != Offset{base})
        return Error{ErrorCode::corrupt,
                     fmt::format("{}it says to begin at {}", where(), info.value().base.value)};
    return info;
}

std::string_view BlockIterator::bytes() const {
    const auto value = iterator_->value();
    return {value.data(), value.size()};
}

}  // namespace adtally::eventlog
