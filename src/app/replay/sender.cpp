#include "app/replay/sender.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <utility>

#include "domain/validation.hpp"

namespace adtally::replay {
namespace {

namespace json = boost::json;

class HttpTransport final : public Transport {
public:
    Result<http::ClientResponse> send(const http::ClientRequest& request) override {
        return client_.send(request);
    }

private:
    http::Client client_;
};

bool is_transient(int status) {
    return status == 408 || status == 429 || status >= 500;
}

std::optional<Milliseconds> retry_after(const http::ClientResponse& response) {
    for (const auto& [name, value] : response.headers) {
        if (name == "retry-after") {
            auto seconds = domain::parse_decimal(value);
            if (seconds) {
                return Milliseconds{std::min<std::int64_t>(*seconds, 3'600) * 1'000};
            }
        }
    }
    return std::nullopt;
}

std::string text_of(const json::object& object, json::string_view name) {
    const json::value* value = object.if_contains(name);
    if (value == nullptr || !value->is_string()) {
        return {};
    }
    return std::string(value->get_string().data(), value->get_string().size());
}

// The members `rejected[].code`, counted; returns how many there were.
std::uint64_t count_rejections(const json::object& answer, Statistics& statistics) {
    const json::value* list = answer.if_contains("rejected");
    if (list == nullptr || !list->is_array()) {
        return 0;
    }
    for (const json::value& item : list->get_array()) {
        const json::object* rejection = item.if_object();
        std::string code = rejection != nullptr ? text_of(*rejection, "code") : std::string{};
        std::string message = rejection != nullptr ? text_of(*rejection, "message") : std::string{};
        statistics.rejected(code.empty() ? "unknown" : code, 1, message);
    }
    return list->get_array().size();
}

}  // namespace

std::unique_ptr<Transport> make_http_transport() {
    return std::make_unique<HttpTransport>();
}

Sender::Sender(SenderOptions options, Statistics& statistics, const TransportFactory& transport)
    : options_(std::move(options)), statistics_(statistics) {
    for (std::size_t i = 0; i < options_.connections; ++i) {
        transports_.push_back(transport());
    }
    for (auto& one : transports_) {
        threads_.emplace_back([this, &one = *one] { run(one); });
    }
}

Sender::~Sender() {
    abandon();
    threads_.clear();
}

bool Sender::submit(Batch batch) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, stop_.get_token(),
                  [this] { return queue_.size() < 2 * options_.connections; });
    if (stop_.stop_requested()) {
        return false;
    }
    queue_.push_back(std::move(batch));
    changed_.notify_all();
    return true;
}

void Sender::finish() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
    changed_.wait(lock, stop_.get_token(), [this] { return queue_.empty() && in_flight_ == 0; });
    lock.unlock();
    stop_.request_stop();
    threads_.clear();
}

void Sender::abandon() {
    stop_.request_stop();
}

bool Sender::gave_up() const {
    std::lock_guard lock(mutex_);
    return gave_up_;
}

void Sender::run(Transport& transport) {
    for (;;) {
        Batch batch;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, stop_.get_token(), [this] { return closed_ || !queue_.empty(); });
            if (stop_.stop_requested() || queue_.empty()) {
                return;
            }
            batch = std::move(queue_.front());
            queue_.pop_front();
            ++in_flight_;
            changed_.notify_all();
        }
        bool delivered = deliver(transport, batch);
        std::lock_guard lock(mutex_);
        --in_flight_;
        changed_.notify_all();
        if (!delivered) {
            return;
        }
    }
}

bool Sender::deliver(Transport& transport, const Batch& batch) {
    http::ClientRequest request;
    request.method = "POST";
    request.url = options_.url;
    request.headers = {{"Content-Type", "application/x-ndjson"}};
    request.body = batch.body;
    request.timeout = options_.request_timeout;
    Deadline patience = Deadline::after(options_.give_up_after);
    Milliseconds backoff = options_.retry_first;
    for (;;) {
        auto response = transport.send(request);
        if (response && !is_transient(response.value().status)) {
            settle(batch, response.value());
            return true;
        }
        Milliseconds pause = backoff;
        if (response) {
            statistics_.retried(fmt::format("the collector answers {}", response.value().status));
            pause = retry_after(response.value()).value_or(backoff);
        } else {
            statistics_.retried(response.error().message +
                                " (--url names the collector: is it running there?)");
        }
        if (patience.passed()) {
            give_up();
        }
        if (!wait(std::min(pause, options_.retry_at_most))) {
            return false;
        }
        backoff = std::min(backoff * 2, options_.retry_at_most);
    }
}

void Sender::give_up() {
    {
        std::lock_guard lock(mutex_);
        gave_up_ = true;
    }
    stop_.request_stop();
}

void Sender::settle(const Batch& batch, const http::ClientResponse& response) {
    boost::system::error_code error;
    json::value parsed = json::parse(response.body, error);
    const json::object* answer = error ? nullptr : parsed.if_object();
    std::uint64_t rejected = answer != nullptr ? count_rejections(*answer, statistics_) : 0;
    std::uint64_t left = batch.events - std::min<std::uint64_t>(rejected, batch.events);
    if (response.status >= 200 && response.status < 300) {
        std::uint64_t accepted = left;
        const json::value* said = answer != nullptr ? answer->if_contains("accepted") : nullptr;
        if (said != nullptr && said->is_int64()) {
            accepted = std::min(left, static_cast<std::uint64_t>(said->get_int64()));
        }
        statistics_.batch_acknowledged(accepted);
        if (accepted < left) {
            statistics_.rejected("unaccounted", left - accepted,
                                 "the answer names neither an acceptance nor a reason");
        }
        return;
    }
    if (left > 0) {
        std::string code = answer != nullptr ? text_of(*answer, "code") : std::string{};
        std::string detail = answer != nullptr ? text_of(*answer, "detail") : std::string{};
        statistics_.rejected(code.empty() ? fmt::format("http_{}", response.status) : code, left,
                             fmt::format("the whole batch: {} {}", response.status, detail));
    }
}

bool Sender::wait(Milliseconds span) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop_.get_token(), span, [] { return false; });
    return !stop_.stop_requested();
}

}  // namespace adtally::replay
