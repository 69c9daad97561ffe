// Which content types a request may have.
#pragma once

#include <string_view>

#include "platform/http/message.hpp"

namespace adtally::collector {

// "text/plain" of "text/plain; charset=UTF-8"; empty when there is none.
std::string_view media_type(const http::Request& request);

// JSON under its own name, as sendBeacon sends strings (text/plain), or without a type.
bool is_json_type(std::string_view type);
// The same, or application/x-ndjson.
bool is_batch_type(std::string_view type);
bool is_form_type(std::string_view type);

// A browser that fetches ahead of a person: nothing was seen or clicked.
bool is_prefetch(const http::Request& request);

}  // namespace adtally::collector
