// A time zone of the system's database: reads a compiled file (TZif version 2 and later, RFC 8536).
//
// The standard library's database comes only with g++ 14, and localtime_r knows one zone for the
// whole process. A file lists the changes of the offset; behind the last one a rule goes on
// (posix_time_rule.hpp). Files with leap seconds ("right/…") are refused: our clock has none.
//
// Immutable after loading; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "domain/posix_time_rule.hpp"

namespace adtally::domain {

class TimeZoneFile {
public:
    // Nothing for a name that is not in the database or that would lead out of its folder.
    static std::shared_ptr<const TimeZoneFile> load(std::string_view name);
    // From the bytes of a file; nothing when they are damaged. Reads no byte outside of them.
    static std::shared_ptr<const TimeZoneFile> parse(std::string_view bytes);

    OffsetSpan at(std::int64_t utc_seconds) const;

private:
    struct Change {
        std::int64_t at;  // seconds since 1970 UTC
        std::int64_t offset;
    };

    std::int64_t first_offset_ = 0;
    std::vector<Change> changes_;  // ascending
    std::optional<PosixTimeRule> rule_;
};

// "Area/City": components of letters, digits, '_', '+', '-', none empty, none with a dot.
bool is_time_zone_name(std::string_view name);

}  // namespace adtally::domain
