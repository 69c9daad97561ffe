// Cuts off what a torn write left at the end of Redis' append-only file, before Redis reads it.
//
// Problem. A script's effects are one MULTI…EXEC in the file, so that they count together or not at
// all. Redis (7.0 to 8.2 at least; mended in Valkey by its pull request 4342) keeps that promise
// when the file ends between two commands of a transaction. When it ends within a command, it
// applies nothing of the transaction, but cuts the file only behind the last whole command. What is
// written next stands behind an open MULTI, and the start after that one executes the half
// transaction together with the next: half a flush is counted twice.
// Design. The last incremental file that the manifest names is read from its beginning; if it ends
// within a command or a transaction, it is cut behind the last command outside of one. That is what
// `redis-check-aof --fix` does. What is damaged in another way is left alone: Redis refuses it.
// Cost: one pass over the file, which Redis is about to read anyway.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/result.hpp"

namespace adtally::redis {

// `directory` is Redis' working directory; nobody may write there meanwhile. Returns how many bytes
// were cut off, 0 for a whole file, a damaged one and none.
Result<std::uint64_t> cut_torn_tail(const std::filesystem::path& directory);

// The file that the Redis of this directory appends to; nothing where it has none, or has it under
// another name than Redis' own appenddirname and appendfilename.
std::optional<std::filesystem::path> append_only_file(const std::filesystem::path& directory);

// The same for somebody who asked for it, and has to know what came of it.
struct MendedFile {
    std::filesystem::path file;
    std::uint64_t cut_bytes = 0;
};
// Fails when there is no file, `corrupt` when it is damaged, and with `conflict` when a program has
// it open to write. The system tells that only to the file's owner and to root.
Result<MendedFile> mend_append_only_file(const std::filesystem::path& directory);

}  // namespace adtally::redis
