#include "app/dlt/dlt.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <ostream>

#include "base/result.hpp"
#include "platform/http/message.hpp"

namespace adtally::dlt {
namespace {

namespace json = boost::json;

constexpr std::size_t page_letters = 500;

std::string text_of(const json::object& object, std::string_view name) {
    const json::value* found = object.if_contains(name);
    return found != nullptr && found->is_string() ? std::string(found->as_string()) : "";
}

std::int64_t number_of(const json::object& object, std::string_view name) {
    const json::value* found = object.if_contains(name);
    return found != nullptr && found->is_int64() ? found->as_int64() : 0;
}

std::string filter_of(const DltOptions& options, std::size_t limit) {
    std::string query = fmt::format("limit={}", std::min(limit, page_letters));
    for (const auto& [name, value] :
         {std::pair{"reason", &options.reason}, {"from", &options.from}, {"to", &options.to}})
        if (!value->empty())
            query += fmt::format("&{}={}", name, http::percent_encode(*value));
    return query;
}

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

int list(Api& api, const DltOptions& options, std::ostream& out, std::ostream& err) {
    std::vector<json::object> letters;  // the newest first
    std::string ends;
    bool more = true;
    while (more && letters.size() < options.limit) {
        auto page = api.ask("GET", "/api/dead-letters?order=newest&" +
                                       filter_of(options, options.limit - letters.size()) +
                                       (ends.empty() ? "" : "&ends=" + ends));
        if (!page)
            return fail(page.error(), err);
        for (json::value& letter : page.value().at("letters").as_array())
            letters.push_back(std::move(letter.as_object()));
        ends = text_of(page.value(), "ends");
        more = page.value().at("more").as_bool();
    }
    if (!options.as_json && !letters.empty())
        out << fmt::format("{:<12} {:<24} {:<18} {:<22} {}\n", "id", "written at", "reason",
                           "was at", "message");
    for (auto letter = letters.rbegin(); letter != letters.rend(); ++letter) {
        if (options.as_json)
            out << json::serialize(*letter) << "\n";
        else
            print_row(*letter, out);
    }
    if (!options.as_json)
        out << fmt::format("{} dead letters{}\n", letters.size(),
                           more ? ", the newest; --limit shows more" : "");
    return 0;
}

int show(Api& api, const DltOptions& options, std::ostream& out, std::ostream& err) {
    for (const std::string& id : options.ids) {
        auto letter = api.ask("GET", "/api/dead-letters/" + http::percent_encode(id));
        if (!letter)
            return fail(letter.error(), err);
        out << fmt::format("id          {}\nwritten at  {}\nwas at      {}\nreason      {}\n",
                           text_of(letter.value(), "id"), text_of(letter.value(), "written_at"),
                           origin_of(letter.value()), text_of(letter.value(), "reason"))
            << fmt::format("message     {}\nkey         {}\n", text_of(letter.value(), "message"),
                           text_of(letter.value(), "key"));
        if (letter.value().contains("cut"))
            out << fmt::format("cut         its record has {} bytes of value and {} of key\n",
                               number_of(letter.value(), "original_value_bytes"),
                               number_of(letter.value(), "original_key_bytes"));
        const std::string text = text_of(letter.value(), "value");
        out << (text.empty() ? "base64      " + text_of(letter.value(), "value_base64")
                             : "record      " + text)
            << "\n";
    }
    return 0;
}

int redrive(Api& api, const DltOptions& options, std::ostream& out, std::ostream& err) {
    const bool filtered = !options.reason.empty() || !options.from.empty() || !options.to.empty();
    const int ways = (options.ids.empty() ? 0 : 1) + (filtered ? 1 : 0) + (options.all ? 1 : 0);
    if (ways != 1) {
        err << (ways == 0
                    ? "adtally: which letters? name ids, or a --reason, --from or --to, or say "
                      "--all\n"
                    : "adtally: ids, a filter (--reason, --from, --to) and --all exclude each "
                      "other: give one of them\n");
        return 2;
    }
    const std::string wish = fmt::format("&dry_run={}&force={}", options.dry_run, options.force);
    Sums sums;
    for (const std::string& id : options.ids) {
        auto report = api.ask("POST", "/api/redrive?id=" + http::percent_encode(id) + wish);
        if (!report)
            return fail(report.error(), err);
        sums.add(report.value());
    }
    // Those that this makes anew lie past the ends that its first page says.
    std::string after;
    std::string ends;
    while (options.ids.empty()) {
        auto report =
            api.ask("POST", "/api/redrive?" + filter_of(options, page_letters) + wish +
                                (options.all ? "&all=true" : "") +
                                (after.empty() ? "" : "&after=" + after + "&ends=" + ends));
        if (!report)
            return fail(report.error(), err);
        sums.add(report.value());
        after = text_of(report.value(), "next");
        if (ends.empty())
            ends = text_of(report.value(), "ends");
        // What fails now fails for the rest too.
        if (after.empty() || sums.failed > 0)
            break;
        err << fmt::format("\r{} redriven …", sums.redriven);
    }
    return close(sums, options, out, err);
}

int list(const DltOptions& options, std::ostream& out, std::ostream& err) {
    HttpApi api(options.url);
    return list(api, options, out, err);
}

int show(const DltOptions& options, std::ostream& out, std::ostream& err) {
    HttpApi api(options.url);
    return show(api, options, out, err);
}

int redrive(const DltOptions& options, std::ostream& out, std::ostream& err) {
    HttpApi api(options.url);
    return redrive(api, options, out, err);
}

}  // namespace adtally::dlt
