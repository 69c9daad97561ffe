#include "load/report.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <iterator>

namespace adtally::load {
namespace {

namespace json = boost::json;

double ratio(double value, std::uint64_t by) {
    return by == 0 ? 0 : value / static_cast<double>(by);
}

double rate(std::uint64_t count, double seconds) {
    return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

json::object latencies(const Histogram& histogram) {
    return {{"count", histogram.count()},
            {"mean", histogram.mean()},
            {"p50", histogram.percentile(0.50)},
            {"p95", histogram.percentile(0.95)},
            {"p99", histogram.percentile(0.99)},
            {"p999", histogram.percentile(0.999)},
            {"max", histogram.max()}};
}

json::object cost(double seconds, const EngineResult& engine) {
    return {{"seconds", seconds},
            {"us_per_event", ratio(seconds * 1e6, engine.events)},
            {"us_per_request", ratio(seconds * 1e6, engine.acknowledged)}};
}

std::string milliseconds(const Histogram& histogram) {
    auto ms = [](double microseconds) { return microseconds / 1'000; };
    auto at = [&histogram, ms](double share) {
        return ms(static_cast<double>(histogram.percentile(share)));
    };
    return fmt::format(
        "mean {:.2f}  p50 {:.2f}  p95 {:.2f}  p99 {:.2f}  p99.9 {:.2f}  max {:.2f} ms",
        ms(histogram.mean()), at(0.5), at(0.95), at(0.99), at(0.999),
        ms(static_cast<double>(histogram.max())));
}

void append_cpu(const Report& report, std::string& text) {
    auto line = [&report, &text](std::string_view name, double seconds) {
        fmt::format_to(std::back_inserter(text), "  {:<24} {:>9.3f} s {:>9.3f} µs {:>9.3f} µs\n",
                       name, seconds, ratio(seconds * 1e6, report.engine.events),
                       ratio(seconds * 1e6, report.engine.acknowledged));
    };
    fmt::format_to(std::back_inserter(text), "cpu {:>34} {:>12} {:>12}\n", "", "an event",
                   "a request");
    for (const auto& [name, usage] : report.cpu) {
        line(name, usage.seconds);
        for (const auto& [group, seconds] : usage.groups) {
            if (seconds > 0 && usage.groups.size() > 1) {
                line("    " + group, seconds);
            }
        }
    }
}

}  // namespace

std::string to_text(const Report& report) {
    const EngineResult& engine = report.engine;
    std::string text = fmt::format(
        "{}, {} connections, {} event(s) and {} bytes a request, {}\n", report.url,
        report.connections, report.batch, report.request_bytes,
        report.closed ? std::string("closed loop")
                      : fmt::format("open loop at {} requests/s", report.asked_per_second));
    fmt::format_to(std::back_inserter(text),
                   "requests   {} in {:.2f} s = {:.1f}/s, events {} = {:.1f}/s\n", engine.requests,
                   engine.seconds, rate(engine.requests, engine.seconds), engine.events,
                   rate(engine.events, engine.seconds));
    fmt::format_to(std::back_inserter(text), "errors     {}", engine.error_count());
    for (const auto& [status, count] : engine.statuses) {
        fmt::format_to(std::back_inserter(text), "  {}: {}", status, count);
    }
    for (const auto& [reason, count] : engine.errors) {
        fmt::format_to(std::back_inserter(text), "  {}: {}", reason, count);
    }
    if (engine.rejected_events > 0) {
        fmt::format_to(std::back_inserter(text), "  events rejected: {}", engine.rejected_events);
    }
    text += "\nack        " + milliseconds(engine.ack) + "\n";
    if (report.visibility) {
        fmt::format_to(std::back_inserter(text), "visible    {} ({} probes, {} refused, {} lost)\n",
                       milliseconds(report.visibility->microseconds), report.visibility->posted,
                       report.visibility->refused, report.visibility->lost);
    }
    append_cpu(report, text);
    return text;
}

std::string to_json(const Report& report) {
    const EngineResult& engine = report.engine;
    json::object out{{"url", report.url},
                     {"closed", report.closed},
                     {"asked_per_second", report.asked_per_second},
                     {"batch", report.batch},
                     {"connections", report.connections},
                     {"request_bytes", report.request_bytes},
                     {"seconds", engine.seconds},
                     {"requests", engine.requests},
                     {"acknowledged", engine.acknowledged},
                     {"events", engine.events},
                     {"rejected_events", engine.rejected_events},
                     {"error_count", engine.error_count()},
                     {"per_second", rate(engine.requests, engine.seconds)},
                     {"events_per_second", rate(engine.events, engine.seconds)},
                     {"ack_us", latencies(engine.ack)}};
    json::object& statuses = out["statuses"].emplace_object();
    for (const auto& [status, count] : engine.statuses) {
        statuses[std::to_string(status)] = count;
    }
    json::object& errors = out["errors"].emplace_object();
    for (const auto& [reason, count] : engine.errors) {
        errors[reason] = count;
    }
    if (report.visibility) {
        json::object& visible = out["visible_us"].emplace_object();
        visible = latencies(report.visibility->microseconds);
        visible["posted"] = report.visibility->posted;
        visible["refused"] = report.visibility->refused;
        visible["lost"] = report.visibility->lost;
    }
    json::object& cpu = out["cpu"].emplace_object();
    for (const auto& [name, usage] : report.cpu) {
        json::object process = cost(usage.seconds, engine);
        json::object& threads = process["threads"].emplace_object();
        for (const auto& [group, seconds] : usage.groups) {
            threads[group] = cost(seconds, engine);
        }
        cpu[name] = std::move(process);
    }
    return json::serialize(out);
}

}  // namespace adtally::load
