#include "app/demo/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "app/demo/traffic.hpp"

namespace adtally::demo {
namespace {

std::string_view name_of(std::string_view ad_id) {
    for (const DemoAd& ad : demo_ads()) {
        if (ad_id == std::to_string(ad.id)) {
            return ad.name;
        }
    }
    return ad_id == "1" ? "(yours)" : "";
}

std::string with_commas(std::int64_t number) {
    std::string digits = std::to_string(number);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
        if (digits[static_cast<std::size_t>(at) - 1] != '-') {
            digits.insert(static_cast<std::size_t>(at), ",");
        }
    }
    return digits;
}

std::string percent(const std::optional<double>& share) {
    return share ? fmt::format("{:.2f} %", *share * 100) : "-";
}

// With as many decimals as `width` has room for.
std::string money(const std::optional<double>& amount, std::size_t width) {
    if (!amount) {
        return "-";
    }
    for (int decimals = 3; decimals >= 0; --decimals) {
        std::string text = fmt::format("{:.{}f}", *amount, decimals);
        if (text.size() <= width) {
            return text;
        }
    }
    return *amount < 9e18 ? compact(static_cast<std::int64_t>(*amount), width) : "many";
}

// Bytes stand for columns: what is cut here is ASCII but for an anomaly's session.
std::string fit(std::string line) {
    if (line.size() > table_width) {
        line.resize(table_width);
    }
    return line;
}

std::string ad_line(std::string_view id, std::string_view name, const AdRow& row) {
    return fit(fmt::format("{:>6.6} {:<19.19} {:>9} {:>8} {:>8} {:>7} {:>7} {:>9}", id, name,
                           compact(row.impressions, 9), compact(row.clicks, 8), percent(row.ctr),
                           money(row.cpc, 7), money(row.cpm, 7), money(row.cost, 9)));
}

AdRow total_of(const std::vector<AdRow>& ads) {
    AdRow total;
    for (const AdRow& ad : ads) {
        total.impressions += ad.impressions;
        total.clicks += ad.clicks;
        total.cost += ad.cost;
    }
    if (total.impressions > 0) {
        total.ctr = static_cast<double>(total.clicks) / static_cast<double>(total.impressions);
        total.cpm = 1'000 * total.cost / static_cast<double>(total.impressions);
    }
    if (total.clicks > 0) {
        total.cpc = total.cost / static_cast<double>(total.clicks);
    }
    return total;
}

// "2024-01-15T14:03:22.123Z" as its time of day.
std::string_view time_of_day(std::string_view time) {
    return time.size() >= 19 ? time.substr(11, 8) : time;
}

std::string anomaly_line(const AnomalyRow& anomaly) {
    std::string what = anomaly.rule == "session_clicks" ? "clicks in a session" : "click rate";
    return fit(fmt::format("  {} {:<9.9} {:<19} {:<8.8} {:<16.16} {} > {}",
                           time_of_day(anomaly.detected_at), anomaly.state, what, anomaly.entity,
                           anomaly.entity_id, anomaly.observed.substr(0, 8),
                           anomaly.threshold.substr(0, 6)));
}

std::string clock_text(double seconds) {
    auto whole = static_cast<std::int64_t>(seconds);
    return fmt::format("{:02}:{:02}:{:02}", whole / 3'600, whole / 60 % 60, whole % 60);
}

}  // namespace

std::string compact(std::int64_t number, std::size_t width) {
    std::string text = with_commas(number);
    constexpr std::array<std::string_view, 5> units{"k", "M", "G", "T", "P"};
    auto scaled = static_cast<double>(number);
    for (std::size_t unit = 0; text.size() > width && unit < units.size(); ++unit) {
        scaled /= 1'000;
        text = fmt::format("{:.1f} {}", scaled, units[unit]);
    }
    return text;
}

std::vector<std::string> render_table(const Snapshot& snapshot, const Heading& heading) {
    const PipelineRow& pipeline = snapshot.pipeline;
    std::vector<std::string> lines;
    lines.push_back(fit(fmt::format("adtally demo   up {}   {:.0f} events/s   lag {}   {}",
                                    clock_text(heading.seconds_up), heading.events_per_second,
                                    compact(pipeline.lag, 9), heading.trouble)));
    lines.emplace_back();
    lines.push_back(fit(fmt::format("{:>6} {:<19} {:>9} {:>8} {:>8} {:>7} {:>7} {:>9}", "ad", "",
                                    "impress.", "clicks", "CTR", "CPC", "CPM", "cost")));
    for (const AdRow& ad : snapshot.ads) {
        lines.push_back(ad_line(ad.ad_id, name_of(ad.ad_id), ad));
    }
    lines.push_back(std::string(table_width, '-'));
    lines.push_back(ad_line("", "these ads", total_of(snapshot.ads)));
    lines.emplace_back();
    lines.push_back(
        fit(fmt::format("books{}: accepted {} counted {} duplicate {} dead {} waiting {}",
                        pipeline.balanced ? " balanced" : "", compact(pipeline.accepted, 7),
                        compact(pipeline.counted, 7), compact(pipeline.duplicates, 7),
                        compact(pipeline.dead_lettered, 7), compact(pipeline.in_flight, 7))));
    lines.emplace_back("anomalies, newest first:");
    for (const AnomalyRow& anomaly : snapshot.anomalies) {
        lines.push_back(anomaly_line(anomaly));
    }
    if (snapshot.anomalies.empty()) {
        lines.emplace_back("  none yet; a click bot comes by every 45 s");
    }
    return lines;
}

std::vector<std::string> render_hint(std::string_view collector_url, std::string_view redis_port) {
    return {
        "Try it from another terminal: count an impression of ad 1, then read it",
        fmt::format("  curl {}/api/events -H 'Content-Type: application/json' \\", collector_url),
        R"(    -d '{"type":"impression","ad_id":1,"campaign_id":1}')",
        fmt::format("  redis-cli -p {} get ad:metrics:1:impressions", redis_port),
        "Ctrl-C ends everything."};
}

}  // namespace adtally::demo
