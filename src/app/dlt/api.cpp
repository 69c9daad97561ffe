#include "app/dlt/api.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <utility>

namespace adtally::dlt {
namespace {

namespace json = boost::json;

constexpr Milliseconds patience{60'000};
// A page is a MiB of records and one more; written as JSON a byte is six at most.
constexpr std::size_t largest_answer = 16u << 20;

}  // namespace

Result<json::object> HttpApi::ask(const std::string& method, const std::string& path) {
    auto response = client_.send({.method = method,
                                  .url = url_ + path,
                                  .timeout = patience,
                                  .max_response_bytes = largest_answer});
    if (!response)
        return Error{response.error().code,
                     fmt::format("{}; is a processor there? --url names it, --url {} was asked",
                                 response.error().message, url_)};
    const int status = response.value().status;
    boost::system::error_code failed;
    json::value body = json::parse(response.value().body, failed);
    if (failed || !body.is_object())
        return Error{
            ErrorCode::unavailable,
            fmt::format("{} answered {} and no JSON: it is no processor of adtally", url_, status)};
    if (status == 200)
        return std::move(body.as_object());
    const json::value* detail = body.as_object().if_contains("detail");
    return Error{
        status == 400 ? ErrorCode::invalid_argument : ErrorCode::unavailable,
        fmt::format(
            "{} answered {}: {}", url_, status,
            detail != nullptr && detail->is_string() ? std::string_view(detail->as_string()) : "")};
}

}  // namespace adtally::dlt
