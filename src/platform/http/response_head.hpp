// The head of an answer as bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "platform/http/message.hpp"

namespace adtally::http {

// The Date field, formatted once a second. One thread.
class DateLine {
public:
    std::string_view at(SteadyTime now);  // "Date: …\r\n"

private:
    std::string line_;
    SteadyTime valid_until_{};
};

struct HeadOptions {
    std::string_view date_line;
    bool http11 = true;  // what the client speaks
    bool keep_alive = true;
    bool streamed = false;  // the body follows in pieces of unknown number
};

// Replaces `into`. A field whose name or value could break the head apart is left out.
void write_response_head(const Response& response, const HeadOptions& options, std::string& into);

bool may_have_body(int status);

}  // namespace adtally::http
