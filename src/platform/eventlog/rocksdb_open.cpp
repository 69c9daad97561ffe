// Why these options.
//
// Write-ahead log: kTolerateCorruptedTailRecords. A record that the end of the file cuts off was
// never acknowledged and is dropped; a damaged record with others behind it refuses to open. The
// default (kPointInTimeRecovery) would drop everything behind the damage without a word. Recycled
// log files are off: RocksDB cannot tell their old content from damage and does not combine them
// with this mode.
//
// Values go to blob files: a block is written once to the write-ahead log and once to its blob
// file; compaction moves keys of a few bytes instead of the records.
#include "platform/eventlog/rocksdb_open.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace adtally::eventlog {
namespace {

constexpr std::size_t write_buffer_bytes = 64u << 20;
constexpr std::size_t blob_from_bytes = 256;
constexpr std::uint64_t sync_bytes = 512u << 10;

rocksdb::Options database_options() {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.paranoid_checks = true;
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
    options.recycle_log_file_num = 0;
    options.max_bgerror_resume_count = 0;  // a failure ends in reopen(), nowhere else

    options.write_buffer_size = write_buffer_bytes;
    options.max_write_buffer_number = 3;
    options.target_file_size_base = write_buffer_bytes;
    options.compression = rocksdb::kNoCompression;
    options.enable_blob_files = true;
    options.min_blob_size = blob_from_bytes;
    options.blob_file_size = write_buffer_bytes;
    options.max_background_jobs = 2;
    // Written back as they grow: one fsync of a whole file would hold up the commits' for a second.
    options.bytes_per_sync = sync_bytes;
    options.max_open_files = 512;
    options.advise_random_on_open = false;  // blocks are read in order

    options.allow_concurrent_memtable_write = false;  // there is one writer
    options.enable_write_thread_adaptive_yield = false;
    // No memtable_insert_with_hint_prefix_extractor: in this version it fails an assertion of
    // RocksDB's own when retention removes a range.

    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(8u << 20);
    table.format_version = 5;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

    options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
    options.keep_log_file_num = 2;
    options.max_log_file_size = 1u << 20;
    options.stats_dump_period_sec = 0;
    options.stats_persist_period_sec = 0;
    return options;
}

std::string in_one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// RocksDB takes a directory without CURRENT for a new one and deletes what else lies there.
bool has_lost_its_head(const std::filesystem::path& directory) {
    std::error_code error;
    if (std::filesystem::exists(directory / "CURRENT", error))
        return false;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
        const auto extension = entry.path().extension();
        if (extension == ".sst" || extension == ".blob" ||
            (extension == ".log" && entry.file_size(error) > 0))
            return true;
    }
    return false;
}

// A directory that was just made must itself survive a power cut, or nothing in it does.
std::error_code create_durably(const std::filesystem::path& directory) {
    std::error_code error;
    std::vector<std::filesystem::path> parents;
    for (auto path = std::filesystem::absolute(directory, error);
         !error && !std::filesystem::exists(path, error) && path.has_relative_path();
         path = path.parent_path())
        parents.push_back(path.parent_path());
    if (!error)
        std::filesystem::create_directories(directory, error);
    for (const auto& parent : parents) {
        if (error)
            break;
        const int opened = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (opened < 0 || ::fsync(opened) != 0)
            error = std::error_code(errno, std::system_category());
        if (opened >= 0)
            ::close(opened);
    }
    return error;
}

Error open_error(const std::string& directory, const rocksdb::Status& status) {
    const std::string said = in_one_line(status.ToString());
    if (contains(said, "Permission denied") || contains(said, "Read-only file system"))
        return {ErrorCode::unavailable,
                fmt::format("data directory {} is not writable ({}); make it writable or choose "
                            "another with --data-dir",
                            directory, said)};
    if (contains(said, "lock hold by current process") || contains(said, "While lock file"))
        return {ErrorCode::unavailable,
                fmt::format("data directory {} is in use by another adtally; stop it or choose "
                            "another with --data-dir",
                            directory)};
    const ErrorCode code = to_error(status).code;
    if (code == ErrorCode::corrupt)
        return {code, fmt::format("the event log in {} is damaged ({}); restore the directory from "
                                  "a copy, or move it away to start an empty log",
                                  directory, said)};
    if (code == ErrorCode::storage_full)
        return {code, fmt::format("no room on the disk of data directory {} ({}); make room there "
                                  "or choose another with --data-dir",
                                  directory, said)};
    return {code, fmt::format("data directory {} cannot be used ({}); repair it or choose another "
                              "with --data-dir",
                              directory, said)};
}

}  // namespace

Result<std::unique_ptr<rocksdb::DB>> open_database(const std::filesystem::path& directory) {
    if (const auto error = create_durably(directory))
        return open_error(directory.string(), rocksdb::Status::IOError(error.message()));
    if (has_lost_its_head(directory))
        return open_error(directory.string(),
                          rocksdb::Status::Corruption("its file CURRENT is missing"));
    rocksdb::DB* opened = nullptr;
    const auto status = rocksdb::DB::Open(database_options(), directory.string(), &opened);
    if (!status.ok())
        return open_error(directory.string(), status);
    return std::unique_ptr<rocksdb::DB>(opened);
}

Error to_error(const rocksdb::Status& status) {
    std::string said = in_one_line(status.ToString());
    ErrorCode code = ErrorCode::unavailable;
    if (status.IsNoSpace() || contains(said, "No space left") || contains(said, "quota exceeded"))
        code = ErrorCode::storage_full;
    else if (status.IsCorruption())
        code = ErrorCode::corrupt;
    return {code, std::move(said)};
}

}  // namespace adtally::eventlog
