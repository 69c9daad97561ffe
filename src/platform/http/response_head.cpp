// See response_head.hpp.
#include "platform/http/response_head.hpp"

#include <charconv>
#include <chrono>
#include <ctime>

namespace adtally::http {

namespace {

void append_number(std::string& out, std::uint64_t number) {
    char text[20];
    auto end = std::to_chars(text, text + sizeof text, number).ptr;
    out.append(text, end);
}

// A handler may put what a client sent into a field (Location, say).
bool fits_in_a_line(std::string_view text) {
    constexpr std::string_view breaking("\r\n\0", 3);
    return text.find_first_of(breaking) == std::string_view::npos;
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    if (!fits_in_a_line(name) || !fits_in_a_line(value))
        return;
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
}

}  // namespace

std::string_view DateLine::at(SteadyTime now) {
    using namespace std::chrono;
    if (now < valid_until_)
        return line_;
    auto millis = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
    valid_until_ = now + milliseconds(1000 - millis % 1000);
    std::time_t seconds = millis / 1000;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char rest[40];
    char day[8];
    std::strftime(rest, sizeof rest, " %Y %H:%M:%S GMT\r\n", &utc);
    std::strftime(day, sizeof day, ", %d ", &utc);
    line_ = "Date: ";
    line_ += days[utc.tm_wday];
    line_ += day;
    line_ += months[utc.tm_mon];
    line_ += rest;
    return line_;
}

bool may_have_body(int status) {
    return status >= 200 && status != 204 && status != 304;
}

void write_response_head(const Response& response, const HeadOptions& options, std::string& into) {
    into.assign("HTTP/1.1 ");  // also to a 1.0 client: RFC 9110 §6.2
    append_number(into, static_cast<std::uint64_t>(response.status));
    into += ' ';
    into += reason_phrase(response.status);
    into += "\r\n";
    into += options.date_line;
    if (!response.content_type.empty())
        append_field(into, "Content-Type", response.content_type);
    if (options.streamed) {
        if (options.http11)
            into += "Transfer-Encoding: chunked\r\n";
    } else if (may_have_body(response.status)) {
        into += "Content-Length: ";
        append_number(into, response.body.size());
        into += "\r\n";
    }
    if (!options.keep_alive)
        into += "Connection: close\r\n";
    else if (!options.http11)
        into += "Connection: keep-alive\r\n";
    for (const auto& [name, value] : response.headers)
        append_field(into, name, value);
    into += "\r\n";
}

}  // namespace adtally::http
