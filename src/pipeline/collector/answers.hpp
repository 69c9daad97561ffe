// Every answer that the collector gives, as text: one place, no decisions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "domain/validation.hpp"
#include "pipeline/collector/books.hpp"
#include "platform/http/message.hpp"

namespace adtally::collector {

// 202 {"event_id":…}
http::Response event_accepted(std::string_view event_id);
// 202 {"accepted":n,"rejected":[…],"event_ids":[…]}; the lists are JSON without their brackets.
http::Response batch_accepted(std::size_t accepted, std::string_view rejected,
                              std::string_view event_ids);
// 200 {"event_id":…,"status":"accepted"}
http::Response postback_accepted(std::string_view event_id);
// The 43-byte transparent GIF, never stored.
http::Response pixel();
// 302 with a link for those whose client does not follow it.
http::Response redirect(std::string_view location);

// 400 (413 for an event that is too large) naming the field.
http::Response invalid(const http::Request& request, const domain::Rejection& rejection);
// 400: no event of a batch is valid.
http::Response batch_invalid(const http::Request& request, std::string_view rejected);
http::Response refusal(const http::Request& request, Refusal reason, std::string detail = {});
// The one map from the log's errors to answers.
Refusal refusal_of(ErrorCode code);
http::Response append_failure(const http::Request& request, const Error& error);

}  // namespace adtally::collector
