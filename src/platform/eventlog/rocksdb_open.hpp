// How RocksDB is set up, opened, and what its failures mean here.
//
// Threads. RocksDB's own two background threads are called rocksdb:high0 and rocksdb:low0.
#pragma once

#include <filesystem>
#include <memory>

#include "base/result.hpp"

namespace rocksdb {
class DB;
class Status;
}  // namespace rocksdb

namespace adtally::eventlog {

// Where a failure has one line that names the directory and the remedy.
Result<std::unique_ptr<rocksdb::DB>> open_database(const std::filesystem::path& directory);

Error to_error(const rocksdb::Status& status);

}  // namespace adtally::eventlog
