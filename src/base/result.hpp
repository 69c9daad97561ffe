// What an operation gives back when its failure is to be expected.
//
// Expected failures (bad input, a full disk, a peer that is away) travel as `Result<T>`; a broken
// environment at start is an exception, caught once in main; a broken invariant is ADTALLY_ASSERT.
// The rest of the code never names Boost.Outcome, so that it can become std::expected in one place.
//
//     Result<Offset> end = log.end(partition);
//     if (!end) return end.error();
//     use(end.value());
#pragma once

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <boost/outcome/try.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace adtally {

// Closed: every place that maps it (HTTP status, exit code) switches over all of them.
enum class ErrorCode {
    invalid_argument,  // the caller's input is wrong; repeating it cannot help
    not_found,
    conflict,      // the state is not the one the caller assumed
    too_large,     // over a documented limit
    overloaded,    // refused to protect what is already accepted; try later
    unavailable,   // a dependency is away or refuses; try later
    timed_out,     // the deadline passed; the effect may or may not have happened
    storage_full,  // no room on the disk
    corrupt,       // stored bytes fail their check
    internal,      // a bug of ours that was survived
};

std::string_view to_string(ErrorCode code);

struct Error {
    ErrorCode code;
    std::string message;  // one line; ends with the remedy where there is one
};

template <class T>
using Result = boost::outcome_v2::basic_result<T, Error, boost::outcome_v2::policy::terminate>;

using Status = Result<void>;

inline Status ok() {
    return boost::outcome_v2::success();
}

}  // namespace adtally

// `auto x = ADTALLY_TRY(expression)` is not possible in ISO C++; this declares the variable:
//     ADTALLY_TRY(auto end, log.end(partition));
// It is more than one statement: braces around it where it stands under an if or a for.
#define ADTALLY_TRY(...) BOOST_OUTCOME_TRY(__VA_ARGS__)
