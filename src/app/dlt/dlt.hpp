// `adtally dlt list|show|redrive`: what could not be counted, from the command line.
//
// Limits. Letters are asked for page by page, the newest first; a redrive ends at those that
// stood there when it began.
// Answers go to `out`, what goes wrong to `err` with the remedy.
// Exit status: 0; 1 when something was left undone; 2 for a question that makes no sense.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "app/dlt/api.hpp"

namespace adtally::dlt {

struct DltOptions {
    std::string url = "http://127.0.0.1:8086";  // a processor
    std::string reason{};                       // empty: any
    std::string from{};                         // RFC 3339 or epoch ms, of when it was written
    std::string to{};
    std::size_t limit = 50;  // list: the newest so many
    bool as_json = false;    // list: one object a line
    std::vector<std::string> ids{};
    bool all = false;      // redrive: without a filter
    bool dry_run = false;  // redrive: only say what would be done
    bool force = false;    // redrive: also those whose earlier attempt has an unknown fate
};

int list(Api& api, const DltOptions& options, std::ostream& out, std::ostream& err);
int show(Api& api, const DltOptions& options, std::ostream& out, std::ostream& err);
int redrive(Api& api, const DltOptions& options, std::ostream& out, std::ostream& err);

// Likewise, of the processor at options.url.
int list(const DltOptions& options, std::ostream& out, std::ostream& err);
int show(const DltOptions& options, std::ostream& out, std::ostream& err);
int redrive(const DltOptions& options, std::ostream& out, std::ostream& err);

}  // namespace adtally::dlt
