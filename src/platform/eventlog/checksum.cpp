// RocksDB's own implementation, through the part of it that is public.
#include "platform/eventlog/checksum.hpp"

#include <rocksdb/file_checksum.h>

#include "base/assert.hpp"
#include "platform/eventlog/bytes.hpp"

namespace adtally::eventlog {

std::uint32_t crc32c(std::string_view bytes) {
    static const auto factory = rocksdb::GetFileChecksumGenCrc32cFactory();
    auto generator = factory->CreateFileChecksumGenerator({});
    generator->Update(bytes.data(), bytes.size());
    generator->Finalize();
    const std::string checksum = generator->GetChecksum();
    ADTALLY_ASSERT(checksum.size() == sizeof(std::uint32_t));
    return load_be<std::uint32_t>(checksum.data());
}

}  // namespace adtally::eventlog
