#include "pipeline/processor/operations/questions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/ids.hpp"
#include "domain/validation.hpp"

namespace adtally::operations {
namespace {

constexpr std::int64_t usual_letters = 100;
constexpr std::int64_t most_letters = 500;
constexpr const char* a_position = "a partition and an offset, such as 3-17";

using Names = std::initializer_list<std::string_view>;

Error bad(std::string message) {
    return {ErrorCode::invalid_argument, std::move(message)};
}

Error must_be(std::string_view name, std::string_view what) {
    return bad(fmt::format("{} must be {}", name, what));
}

std::string listed(Names names) {
    std::string list;
    for (const std::string_view name : names)
        list += fmt::format("{}{}", list.empty() ? "" : ", ", name);
    return list.empty() ? "none" : list;
}

class Parameters {
public:
    static Result<Parameters> of(const http::Request& request, Names known) {
        Parameters all;
        ADTALLY_TRY(all.add(request.query, "query", known));
        if (request.body.empty())
            return all;
        std::string_view type = request.header("content-type").value_or("");
        type = type.substr(0, type.find(';'));
        if (request.method != http::Method::post || type != "application/x-www-form-urlencoded")
            return bad(
                "a body is only taken of a POST, as application/x-www-form-urlencoded; give "
                "the parameters in the query");
        ADTALLY_TRY(all.add(request.body, "body", known));
        return all;
    }
    const std::string* find(std::string_view name) const {
        const auto found = std::find_if(pairs_.begin(), pairs_.end(),
                                        [&](const auto& pair) { return pair.first == name; });
        return found == pairs_.end() ? nullptr : &found->second;
    }
    // Of these the first that is there.
    std::optional<std::string_view> any_of(Names names) const {
        for (const std::string_view name : names)
            if (find(name) != nullptr)
                return name;
        return std::nullopt;
    }
    Result<bool> flag(std::string_view name) const {
        const std::string* text = find(name);
        if (text != nullptr && *text != "true" && *text != "false")
            return must_be(name, "true or false");
        return text != nullptr && *text == "true";
    }
    Result<std::optional<TimestampMs>> time(std::string_view name) const {
        const std::string* text = find(name);
        if (text == nullptr)
            return std::optional<TimestampMs>{};
        if (const auto time = domain::parse_rfc3339(*text))
            return std::optional{*time};
        if (const auto ms = domain::parse_decimal(*text))
            return std::optional{TimestampMs{*ms}};
        return must_be(name, "a time such as 2024-01-15T14:03:22Z, or epoch milliseconds");
    }
    Result<std::optional<Position>> position(std::string_view name) const {
        const std::string* text = find(name);
        if (text == nullptr)
            return std::optional<Position>{};
        if (const auto position = parse_position(*text))
            return std::optional{*position};
        return must_be(name, a_position);
    }

private:
    Status add(std::string_view text, std::string_view where, Names known) {
        auto parsed = http::parse_query(text);
        if (!parsed)
            return bad(fmt::format("the {} has a malformed percent escape, or too many parameters",
                                   where));
        for (auto& [name, value] : *parsed) {
            if (std::find(known.begin(), known.end(), name) == known.end())
                return bad(fmt::format("there is no parameter {}; allowed are: {}", quoted(name),
                                       listed(known)));
            if (find(name) != nullptr)
                return bad(fmt::format("{} is given twice", name));
            if (value.empty())
                return bad(fmt::format("{} is empty; leave it out", name));
            pairs_.emplace_back(std::move(name), std::move(value));
        }
        return ok();
    }
    // As it came, but for what no message should carry.
    static std::string quoted(std::string_view name) {
        constexpr std::size_t most = 40;
        std::string text = "'";
        for (const char each : name.substr(0, most))
            text += each >= ' ' && each <= '~' ? each : '?';
        return text + (name.size() > most ? "…'" : "'");
    }

    std::vector<std::pair<std::string, std::string>> pairs_;
};

struct Span {
    std::optional<TimestampMs> from;
    std::optional<TimestampMs> to;
};

Result<Span> span_of(const Parameters& all) {
    ADTALLY_TRY(const auto from, all.time("from"));
    ADTALLY_TRY(const auto to, all.time("to"));
    if (from && to && *from >= *to)
        return bad("from must be before to: nothing lies between them");
    return Span{from, to};
}

Result<LetterFilter> filter_of(const Parameters& all) {
    LetterFilter filter;
    if (const std::string* reason = all.find("reason"))
        filter.reason = *reason;
    ADTALLY_TRY(const auto span, span_of(all));
    filter.from = span.from.value_or(filter.from);
    filter.to = span.to.value_or(filter.to);
    return filter;
}

Result<std::size_t> limit_of(const Parameters& all) {
    const std::string* text = all.find("limit");
    const auto limit =
        text != nullptr ? domain::parse_decimal(*text) : std::optional{usual_letters};
    if (!limit || *limit < 1 || *limit > most_letters)
        return must_be("limit", fmt::format("an integer from 1 to {}", most_letters));
    return static_cast<std::size_t>(*limit);
}

Result<std::optional<Ends>> ends_of(const Parameters& all) {
    const std::string* text = all.find("ends");
    if (text == nullptr)
        return std::optional<Ends>{};
    auto ends = parse_ends(*text);
    if (!ends)
        return must_be("ends", "offsets such as 17,0,4: what the last page answered as ends");
    return std::optional{std::move(*ends)};
}

}  // namespace

Result<ListQuestion> list_question(const http::Request& request) {
    ADTALLY_TRY(const auto all, Parameters::of(request, {"reason", "from", "to", "after", "limit",
                                                         "ends", "order"}));
    ListQuestion question;
    ADTALLY_TRY(question.filter, filter_of(all));
    ADTALLY_TRY(question.limit, limit_of(all));
    ADTALLY_TRY(question.ends, ends_of(all));
    ADTALLY_TRY(const auto after, all.position("after"));
    question.first = after.value_or(Position{});
    if (const std::string* order = all.find("order")) {
        if (*order != "position" && *order != "newest")
            return must_be("order", "position or newest");
        question.newest = *order == "newest";
    }
    if (question.newest && after)
        return bad("after goes with order=position; the next page of order=newest is told by ends");
    return question;
}

Result<RedriveQuestion> redrive_question(const http::Request& request) {
    ADTALLY_TRY(const auto all,
                Parameters::of(request, {"id", "reason", "from", "to", "all", "after", "limit",
                                         "ends", "dry_run", "force"}));
    RedriveQuestion question;
    ADTALLY_TRY(question.id, all.position("id"));
    ADTALLY_TRY(question.filter, filter_of(all));
    ADTALLY_TRY(question.limit, limit_of(all));
    ADTALLY_TRY(question.ends, ends_of(all));
    ADTALLY_TRY(const auto after, all.position("after"));
    question.first = after.value_or(Position{});
    ADTALLY_TRY(question.wish.dry_run, all.flag("dry_run"));
    ADTALLY_TRY(question.wish.force, all.flag("force"));
    ADTALLY_TRY(const bool everything, all.flag("all"));
    const auto filter = all.any_of({"reason", "from", "to"});
    if (question.id) {
        if (const auto other =
                all.any_of({"reason", "from", "to", "all", "after", "limit", "ends"}))
            return bad(fmt::format("id names one letter and goes without {}", *other));
        return question;
    }
    if (everything && filter)
        return bad(fmt::format("all=true goes without {}", *filter));
    if (!everything && !filter)
        return bad("which letters? give id, reason, from or to, or all=true");
    return question;
}

Result<TraceQuery> trace_question(const http::Request& request) {
    TraceQuery query;
    query.event_id = request.path_parameters[0];
    if (!domain::is_event_id(query.event_id))
        return bad("an event id is 1 to 64 of A-Z a-z 0-9 . _ : -");
    ADTALLY_TRY(const auto all, Parameters::of(request, {"ad_id", "from", "to"}));
    if (const std::string* ad = all.find("ad_id")) {
        query.ad = domain::parse_decimal(*ad);
        if (!query.ad || *query.ad < 1)
            return must_be("ad_id", "an integer from 1 to 2^63-1");
    }
    ADTALLY_TRY(const auto span, span_of(all));
    query.from = span.from;
    query.to = span.to;
    return query;
}

Result<Position> letter_question(const http::Request& request) {
    ADTALLY_TRY(const auto all, Parameters::of(request, {}));
    if (const auto position = parse_position(request.path_parameters[0]))
        return *position;
    return must_be("the id in the path", a_position);
}

}  // namespace adtally::operations
