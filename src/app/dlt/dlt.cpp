#include "app/dlt/dlt.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <ostream>

#include "base/result.hpp"
#include "platform/http/client.hpp"
#include "platform/http/message.hpp"

namespace adtally::dlt {
namespace {

namespace json = boost::json;

constexpr Milliseconds patience{60'000};
constexpr std::size_t most_listed = 100'000;
constexpr int page_letters = 500;

std::string text_of(const json::object& object, std::string_view name) {
    const json::value* found = object.if_contains(name);
    return found != nullptr && found->is_string() ? std::string(found->as_string()) : "";
}

std::int64_t number_of(const json::object& object, std::string_view name) {
    const json::value* found = object.if_contains(name);
    return found != nullptr && found->is_int64() ? found->as_int64() : 0;
}

std::string filter_of(const DltOptions& options) {
    std::string query = fmt::format("limit={}", page_letters);
    for (const auto& [name, value] :
         {std::pair{"reason", &options.reason}, {"from", &options.from}, {"to", &options.to}})
        if (!value->empty())
            query += fmt::format("&{}={}", name, http::percent_encode(*value));
    return query;
}

class Api {
public:
    explicit Api(std::string url) : url_(std::move(url)) {}

    Result<json::object> ask(const std::string& method, const std::string& path) {
        auto response = client_.send({.method = method, .url = url_ + path, .timeout = patience});
        if (!response)
            return Error{response.error().code,
                         fmt::format("{}; is a processor there? --url names it, --url {} was asked",
                                     response.error().message, url_)};
        boost::system::error_code failed;
        json::value body = json::parse(response.value().body, failed);
        if (failed || !body.is_object())
            return Error{ErrorCode::unavailable,
                         fmt::format("{} answered {} and no JSON: it is no processor of adtally",
                                     url_, response.value().status)};
        if (response.value().status != 200)
            return Error{response.value().status == 400 ? ErrorCode::invalid_argument
                                                        : ErrorCode::unavailable,
                         fmt::format("{} answered {}: {}", url_, response.value().status,
                                     text_of(body.as_object(), "detail"))};
        return std::move(body.as_object());
    }

private:
    std::string url_;
    http::Client client_;
};

int fail(const Error& error, std::ostream& err) {
    err << "adtally: " << error.message << "\n";
    return error.code == ErrorCode::invalid_argument ? 2 : 1;
}

std::string origin_of(const json::object& letter) {
    const json::value* origin = letter.if_contains("origin");
    if (origin == nullptr || !origin->is_object())
        return "";
    const json::object& place = origin->as_object();
    return fmt::format("{} {}-{}", text_of(place, "topic"), number_of(place, "partition"),
                       number_of(place, "offset"));
}

void print_row(const json::object& letter, std::ostream& out) {
    out << fmt::format("{:<12} {:<24} {:<18} {:<22} {}\n", text_of(letter, "id"),
                       text_of(letter, "written_at"), text_of(letter, "reason"), origin_of(letter),
                       text_of(letter, "message"));
}

struct Sums {
    std::int64_t redriven = 0;
    std::int64_t already = 0;
    std::int64_t uncertain = 0;
    std::int64_t cut = 0;
    std::int64_t failed = 0;
    std::string error;

    void add(const json::object& report) {
        redriven += number_of(report, "redriven");
        already += number_of(report, "already");
        uncertain += number_of(report, "uncertain");
        cut += number_of(report, "cut");
        failed += number_of(report, "failed");
        if (error.empty())
            error = text_of(report, "error");
    }
};

int close(const Sums& sums, const DltOptions& options, std::ostream& out, std::ostream& err) {
    out << fmt::format("{} {}, {} were before, {} uncertain, {} failed\n", sums.redriven,
                       options.dry_run ? "would be redriven" : "redriven", sums.already,
                       sums.uncertain, sums.failed);
    if (sums.uncertain > 0)
        err << "adtally: uncertain: an earlier attempt may have arrived, and deduplication no "
               "longer knows it. See GET /api/events/{id}/trace; --force sends them all the same\n";
    if (sums.cut > 0)
        err << fmt::format(
            "adtally: {} hold only a part of their record, which was above the log's "
            "limit, and are never sent: dlt show says where the whole stands\n",
            sums.cut);
    if (sums.failed > 0)
        err << "adtally: " << sums.error << "; repeat the command, what is done stays done\n";
    return sums.uncertain + sums.cut + sums.failed > 0 ? 1 : 0;
}

}  // namespace

int list(const DltOptions& options, std::ostream& out, std::ostream& err) {
    Api api(options.url);
    std::vector<json::object> letters;
    std::string after;
    do {
        auto page = api.ask("GET", "/api/dead-letters?" + filter_of(options) +
                                       (after.empty() ? "" : "&after=" + after));
        if (!page)
            return fail(page.error(), err);
        for (json::value& letter : page.value().at("letters").as_array())
            letters.push_back(std::move(letter.as_object()));
        after = text_of(page.value(), "next");
    } while (!after.empty() && letters.size() < most_listed);
    std::stable_sort(letters.begin(), letters.end(),
                     [](const json::object& left, const json::object& right) {
                         return text_of(left, "written_at") < text_of(right, "written_at");
                     });
    const std::size_t shown = std::min(options.limit, letters.size());
    const auto first = letters.end() - static_cast<std::ptrdiff_t>(shown);
    if (!options.as_json && shown > 0)
        out << fmt::format("{:<12} {:<24} {:<18} {:<22} {}\n", "id", "written at", "reason",
                           "was at", "message");
    for (auto letter = first; letter != letters.end(); ++letter) {
        if (options.as_json)
            out << json::serialize(*letter) << "\n";
        else
            print_row(*letter, out);
    }
    if (!options.as_json)
        out << fmt::format("{} of {}{} dead letters\n", shown, letters.size(),
                           after.empty() ? "" : " or more");
    return 0;
}

int show(const DltOptions& options, std::ostream& out, std::ostream& err) {
    Api api(options.url);
    for (const std::string& id : options.ids) {
        auto letter = api.ask("GET", "/api/dead-letters/" + http::percent_encode(id));
        if (!letter)
            return fail(letter.error(), err);
        out << fmt::format("id          {}\nwritten at  {}\nwas at      {}\nreason      {}\n",
                           text_of(letter.value(), "id"), text_of(letter.value(), "written_at"),
                           origin_of(letter.value()), text_of(letter.value(), "reason"))
            << fmt::format("message     {}\nkey         {}\n", text_of(letter.value(), "message"),
                           text_of(letter.value(), "key"));
        const std::string text = text_of(letter.value(), "value");
        out << (text.empty() ? "base64      " + text_of(letter.value(), "value_base64")
                             : "record      " + text)
            << "\n";
    }
    return 0;
}

int redrive(const DltOptions& options, std::ostream& out, std::ostream& err) {
    const bool filtered = !options.reason.empty() || !options.from.empty() || !options.to.empty();
    if (options.ids.empty() && !filtered && !options.all) {
        err << "adtally: which letters? name ids, a --reason, --from or --to, or say --all\n";
        return 2;
    }
    Api api(options.url);
    const std::string wish = fmt::format("&dry_run={}&force={}", options.dry_run, options.force);
    Sums sums;
    for (const std::string& id : options.ids) {
        auto report = api.ask("POST", "/api/redrive?id=" + http::percent_encode(id) + wish);
        if (!report)
            return fail(report.error(), err);
        sums.add(report.value());
    }
    std::string after;
    while (options.ids.empty()) {
        auto report = api.ask("POST", "/api/redrive?" + filter_of(options) + wish +
                                          (after.empty() ? "" : "&after=" + after));
        if (!report)
            return fail(report.error(), err);
        sums.add(report.value());
        after = text_of(report.value(), "next");
        // What fails now fails for the rest too.
        if (after.empty() || sums.failed > 0)
            break;
        err << fmt::format("\r{} redriven …", sums.redriven);
    }
    return close(sums, options, out, err);
}

}  // namespace adtally::dlt
