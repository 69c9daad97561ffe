// Blocks of one partition in offset order, checked one by one.
#pragma once

#include <memory>
#include <string_view>

#include "platform/eventlog/rocksdb_store.hpp"

namespace rocksdb {
class Iterator;
class Slice;
}  // namespace rocksdb

namespace adtally::eventlog {

class BlockIterator {
public:
    // The database must stay open as long as this lives.
    BlockIterator(rocksdb::DB& db, PartitionId id);
    ~BlockIterator();
    BlockIterator(const BlockIterator&) = delete;
    BlockIterator& operator=(const BlockIterator&) = delete;

    // To the last block whose base is at most `offset`; ask valid() then.
    void seek(Offset offset);
    void next();
    // False at the end, and then status() says whether it is the end.
    bool valid() const;
    Status status() const;

    // The present block, padded: checked against its checksum and its key.
    Result<BlockBytes> block() const;

private:
    const PartitionId id_;
    const std::string lower_key_;
    const std::string upper_key_;
    const std::unique_ptr<rocksdb::Slice> lower_;
    const std::unique_ptr<rocksdb::Slice> upper_;
    std::unique_ptr<rocksdb::Iterator> iterator_;
};

}  // namespace adtally::eventlog
