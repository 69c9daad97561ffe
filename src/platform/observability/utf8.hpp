// Text of unknown origin made fit for JSON: what a client sent may stand in a log line or a health
// detail, and one wrong byte must not make the whole document unreadable.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace adtally::observability {

// Every ill-formed part is replaced by one U+FFFD, as the Unicode standard recommends (§3.9).
std::string valid_utf8(std::string_view text);

// Appends a quoted JSON string. Ill-formed parts as above; longer than max_bytes is cut between
// two characters and ends with "…".
void append_json_string(std::string& out, std::string_view text, std::size_t max_bytes);

}  // namespace adtally::observability
