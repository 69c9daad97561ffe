#include "load/visibility.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "platform/http/client.hpp"

namespace adtally::load {
namespace {

constexpr std::chrono::milliseconds post_interval{100};
constexpr std::chrono::milliseconds look_interval{1};
constexpr std::chrono::seconds patience{30};
constexpr std::uint64_t first_ad = 7'000'000'000'000'000'000;

std::string body_of(std::uint64_t ad) {
    return fmt::format(R"({{"type":"impression","ad_id":"{}","campaign_id":999983,)"
                       R"("event_id":"probe-{}"}})",
                       ad, ad);
}

}  // namespace

Visibility::Visibility(std::string collector_url, redis::Endpoint redis)
    : url_(std::move(collector_url)), redis_(std::move(redis)) {
    poster_ = std::jthread([this](std::stop_token stop) { post(stop); });
    watcher_ = std::jthread([this](std::stop_token stop) { watch(stop); });
}

Visibility::~Visibility() = default;

bool Visibility::pause_until(Moment moment, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    never_.wait_until(lock, stop, moment, [] { return false; });
    return !stop.stop_requested();
}

void Visibility::post(std::stop_token stop) {
    ::pthread_setname_np(::pthread_self(), "probe-post");
    http::Client client;
    std::random_device system;
    std::uint64_t ad = first_ad + (std::uint64_t{system()} % 2'000'000'000) * 1'000'000;
    for (Moment due = std::chrono::steady_clock::now(); pause_until(due, stop);
         due += post_interval) {
        ++ad;
        {
            std::lock_guard lock(mutex_);
            result_.posted += 1;
            under_way_[ad] = Probe{due};
        }
        http::ClientRequest request;
        request.method = "POST";
        request.url = url_ + "/api/events";
        request.headers = {{"Content-Type", "application/json"}};
        request.body = body_of(ad);
        auto response = client.send(request);
        bool taken = response && response.value().status / 100 == 2;
        std::lock_guard lock(mutex_);
        auto probe = under_way_.find(ad);
        if (probe != under_way_.end()) {  // else it is visible already
            probe->second.acknowledged = taken;
            if (!taken) {
                result_.refused += probe->second.counts ? 1 : 0;
                under_way_.erase(probe);
            }
        }
    }
}

void Visibility::watch(std::stop_token stop) {
    ::pthread_setname_np(::pthread_self(), "probe-redis");
    redis::Client client{redis::ClientOptions{.endpoint = redis_}};
    for (Moment next = std::chrono::steady_clock::now(); pause_until(next, stop);
         next = std::max(next + look_interval, std::chrono::steady_clock::now())) {
        look(client);
    }
}

void Visibility::look(redis::Client& client) {
    std::vector<std::uint64_t> ads;
    {
        std::lock_guard lock(mutex_);
        for (const auto& [ad, probe] : under_way_) {
            ads.push_back(ad);
        }
    }
    if (ads.empty()) {
        return;
    }
    std::vector<std::string> keys;
    for (std::uint64_t ad : ads) {
        keys.push_back(fmt::format("ad:metrics:{}:impressions", ad));
    }
    std::vector<std::string_view> words{"MGET"};
    words.insert(words.end(), keys.begin(), keys.end());
    auto reply = client.command(words);
    Moment now = std::chrono::steady_clock::now();
    std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < ads.size(); ++i) {
        auto probe = under_way_.find(ads[i]);
        if (probe == under_way_.end()) {
            continue;
        }
        bool visible = reply && reply.value().elements.size() == ads.size() &&
                       !reply.value().elements[i].is_nil();
        if (visible) {
            auto waited =
                std::chrono::duration_cast<std::chrono::microseconds>(now - probe->second.due);
            if (probe->second.counts) {
                result_.microseconds.add(static_cast<std::uint64_t>(waited.count()));
            }
            under_way_.erase(probe);
        } else if (now - probe->second.due > patience && probe->second.acknowledged) {
            result_.lost += probe->second.counts ? 1 : 0;
            under_way_.erase(probe);
        }
    }
}

void Visibility::restart() {
    std::lock_guard lock(mutex_);
    result_ = VisibilityResult{};
    for (auto& [ad, probe] : under_way_) {
        probe.counts = false;
    }
}

VisibilityResult Visibility::finish() {
    poster_.request_stop();
    poster_.join();
    Moment end = std::chrono::steady_clock::now() + patience;
    for (;;) {
        std::unique_lock lock(mutex_);
        if (under_way_.empty() || std::chrono::steady_clock::now() > end) {
            break;
        }
        never_.wait_for(lock, std::chrono::milliseconds{10});
    }
    watcher_.request_stop();
    watcher_.join();
    for (const auto& [ad, probe] : under_way_) {
        result_.lost += probe.counts && probe.acknowledged ? 1 : 0;
    }
    return result_;
}

}  // namespace adtally::load
