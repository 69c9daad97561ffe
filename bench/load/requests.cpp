#include "load/requests.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "domain/codec.hpp"

namespace adtally::load {
namespace {

// Everything that is overwritten stands first, at the same places in every event.
constexpr std::string_view id_start = R"({"event_id":"ld-)";
constexpr std::size_t run_digits = 8;
constexpr std::size_t counter_digits = 12;
constexpr std::size_t counter_at = id_start.size() + run_digits + 1;
constexpr std::string_view before_time = R"(","timestamp":")";
constexpr std::size_t time_at = counter_at + counter_digits + before_time.size();
constexpr std::string_view some_time = "2000-01-01T00:00:00.000Z";
constexpr std::string_view before_session = R"(","session_id":"s-)";
constexpr std::size_t session_at = time_at + some_time.size() + before_session.size();
constexpr std::size_t session_digits = 8;
constexpr std::uint64_t events_per_session = 8;
constexpr std::size_t smallest_pool = 8'192;
constexpr std::size_t largest_pool = 131'072;

void write_hex(char* at, std::size_t digits, std::uint64_t number) {
    for (std::size_t i = digits; i-- > 0;) {
        at[i] = "0123456789abcdef"[number & 15u];
        number >>= 4;
    }
}

class AdPicker {
public:
    AdPicker(std::size_t ads, Distribution distribution) : sums_(std::max<std::size_t>(ads, 1)) {
        double sum = 0;
        for (std::size_t i = 0; i < sums_.size(); ++i) {
            sum += distribution == Distribution::zipf ? 1.0 / static_cast<double>(i + 1) : 1.0;
            sums_[i] = sum;
        }
    }
    std::uint64_t pick(std::mt19937_64& random) const {
        double point = std::uniform_real_distribution<double>(0, sums_.back())(random);
        auto found = std::upper_bound(sums_.begin(), sums_.end(), point);
        return std::min<std::uint64_t>(static_cast<std::uint64_t>(found - sums_.begin()),
                                       sums_.size() - 1) +
               1;
    }

private:
    std::vector<double> sums_;
};

std::string event_text(std::uint32_t run, std::uint64_t ad, double fate) {
    std::string_view type = fate < 0.970 ? "impression" : fate < 0.999 ? "click" : "conversion";
    std::string_view money = type == "impression"   ? R"("cost_micros":2500)"
                             : type == "conversion" ? R"("value_micros":19000000)"
                                                    : R"("cost_micros":0)";
    return fmt::format(R"({}{:08x}-{:0{}}{}{}{}{:0{}}","type":"{}","ad_id":{},"campaign_id":{},)"
                       R"("publisher_id":12,"slot_id":345,{},"page_url":"https://example.org/a",)"
                       R"("user_agent":"Mozilla/5.0 (X11; Linux x86_64) Firefox/121.0"}})",
                       id_start, run, 0, counter_digits, before_time, some_time, before_session, 0,
                       session_digits, type, ad, ad % 50 + 1, money);
}

}  // namespace

Requests::Requests(const RequestOptions& options) : batch_(options.batch) {
    head_ = fmt::format(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: {}\r\nContent-Length: ", options.path,
        options.host, batch_ == 1 ? "application/json" : "application/x-ndjson");
    std::mt19937_64 random{options.seed};
    AdPicker ads{options.ads, options.distribution};
    std::size_t size = std::clamp(options.ads * 8, smallest_pool, largest_pool);
    std::uniform_real_distribution<double> fate{0, 1};
    for (std::size_t i = 0; i < size; ++i) {
        pool_.push_back(event_text(options.run, ads.pick(random), fate(random)));
    }
}

void Requests::append_event(TimestampMs now, std::string& into) {
    if (now.value != time_ms_) {
        time_ms_ = now.value;
        time_text_.clear();
        domain::append_rfc3339(now, time_text_);
    }
    std::size_t start = into.size();
    into += pool_[made_ % pool_.size()];
    char* event = into.data() + start;
    write_hex(event + counter_at, counter_digits, made_);
    std::memcpy(event + time_at, time_text_.data(), std::min(time_text_.size(), some_time.size()));
    write_hex(event + session_at, session_digits, made_ / events_per_session);
    ++made_;
}

void Requests::next(TimestampMs now, std::string& into) {
    body_.clear();
    for (std::size_t i = 0; i < batch_; ++i) {
        append_event(now, body_);
        if (batch_ > 1) {
            body_ += '\n';
        }
    }
    into.assign(head_);
    into += std::to_string(body_.size());
    into += "\r\n\r\n";
    into += body_;
}

std::size_t Requests::typical_size() const {
    return head_.size() + 8 + batch_ * (pool_.front().size() + (batch_ > 1 ? 1 : 0));
}

}  // namespace adtally::load
