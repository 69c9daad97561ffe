#include "platform/eventlog/block_iterator.hpp"

#include <fmt/format.h>
#include <rocksdb/db.h>

#include "platform/eventlog/rocksdb_open.hpp"
#include "platform/eventlog/store_keys.hpp"
#include "platform/eventlog/stored_block.hpp"

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

Result<BlockBytes> BlockIterator::block() const {
    const auto base = static_cast<std::int64_t>(
        load_be<std::uint64_t>(iterator_->key().data() + lower_key_.size()));
    const auto stored = iterator_->value();
    auto block = unpack({stored.data(), stored.size()});
    const auto where = [&] {
        return fmt::format("partition {}, block {}: ", id_.partition.value, base);
    };
    if (!block)
        return Error{block.error().code, where() + block.error().message};
    const Offset said = info_of(framed(block.value())).base;
    if (said != Offset{base})
        return Error{ErrorCode::corrupt,
                     fmt::format("{}it says to begin at {}", where(), said.value)};
    return block;
}

}  // namespace adtally::eventlog
