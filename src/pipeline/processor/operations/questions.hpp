// What a request asks for: its parameters, checked.
//
// Problem. These routes act on a selection, and a name that is mistyped or a value that cannot be
// read would select everything.
// Design. A closed list of names for each route; each once, none empty, all readable, or the
// request is refused with the name and what is allowed. A redrive of everything has to be said:
// all=true. Parameters stand in the query; of a POST also in a form body. Any other body is
// refused.
#pragma once

#include <optional>

#include "base/result.hpp"
#include "pipeline/processor/operations/event_trace.hpp"
#include "pipeline/processor/operations/letter_box.hpp"
#include "pipeline/processor/operations/redrive.hpp"
#include "platform/http/message.hpp"

namespace adtally::operations {

struct ListQuestion {
    LetterFilter filter;
    Position first;
    std::size_t limit = 0;
    std::optional<Ends> ends;
    bool newest = false;
};

struct RedriveQuestion {
    std::optional<Position> id;  // only this one; else by what follows
    LetterFilter filter;
    Position first;
    std::size_t limit = 0;
    std::optional<Ends> ends;
    Redriver::Wish wish;
};

// `invalid_argument` names the parameter.
Result<ListQuestion> list_question(const http::Request& request);
Result<RedriveQuestion> redrive_question(const http::Request& request);
Result<TraceQuery> trace_question(const http::Request& request);
Result<Position> letter_question(const http::Request& request);

}  // namespace adtally::operations
