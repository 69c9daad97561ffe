// Sinks over HTTP: a signed webhook and Alertmanager's API v2.
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <utility>

#include "domain/codec.hpp"
#include "pipeline/processor/alerts/sink.hpp"
#include "platform/http/client.hpp"

namespace adtally::alerts {
namespace {

std::string quoted(std::string_view text) {
    std::string json;
    domain::append_json_string(text, json);
    return json;
}

std::string time_text(TimestampMs time) {
    std::string text;
    domain::append_rfc3339(time, text);
    return text;
}

// 2xx is taken; anything else is repeated by the worker.
Status send(http::Client& client, const http::ClientRequest& request) {
    ADTALLY_TRY(auto response, client.send(request));
    if (response.status >= 200 && response.status < 300)
        return ok();
    return Error{ErrorCode::unavailable,
                 fmt::format("{} answered {}", request.url, response.status)};
}

class WebhookSink final : public AlertSink {
public:
    WebhookSink(WebhookOptions options, const Clock& clock)
        : options_(std::move(options)), clock_(clock) {}
    std::string name() const override { return "webhook"; }
    Status deliver(const Anomaly& anomaly) override {
        http::ClientRequest request;
        request.method = "POST";
        request.url = options_.url;
        request.timeout = options_.timeout;
        request.body = to_json(anomaly);
        request.headers = {
            {"Content-Type", "application/json"},
            {"Idempotency-Key", quoted(anomaly.id + ":" + anomaly.state)},
        };
        if (!options_.secret.empty())
            request.headers.emplace_back(
                "X-Adtally-Signature",
                sign_webhook(options_.secret, clock_.wall().value / 1000, request.body));
        return send(client_, request);
    }

private:
    WebhookOptions options_;
    const Clock& clock_;
    http::Client client_;
};

class AlertmanagerSink final : public AlertSink {
public:
    AlertmanagerSink(AlertmanagerOptions options, const Clock& clock)
        : options_(std::move(options)), clock_(clock) {}
    std::string name() const override { return "alertmanager"; }
    Status deliver(const Anomaly& anomaly) override {
        http::ClientRequest request;
        request.method = "POST";
        request.url = options_.url + "/api/v2/alerts";
        request.timeout = options_.timeout;
        request.headers = {{"Content-Type", "application/json"}};
        request.body = body(anomaly);
        return send(client_, request);
    }

private:
    // Alertmanager forgets an alert that is not renewed; an incident stays until it is resolved.
    static constexpr std::int64_t open_for_ms = 24LL * 3600 * 1000;
    static constexpr std::int64_t session_ms = 30LL * 60 * 1000;  // nothing resolves this one

    static std::string name_of(std::string_view rule) {
        if (rule == "ctr")
            return "AdtallyCtrAnomaly";
        return rule == "session_clicks" ? "AdtallyClickPattern" : "AdtallyBooksDiffer";
    }

    std::string body(const Anomaly& anomaly) const {
        TimestampMs ends = clock_.wall();
        if (anomaly.state == "OPEN")
            ends.value += anomaly.rule == "session_clicks" ? session_ms : open_for_ms;
        return fmt::format(
            R"([{{"labels":{{"alertname":{},"severity":"warning","rule":{},"entity":{},)"
            R"("entity_id":{},"incident":{}}},"annotations":{{"summary":{},"observed":{},)"
            R"("threshold":{}}},"startsAt":{},"endsAt":{},"generatorURL":{}}}])",
            quoted(name_of(anomaly.rule)), quoted(anomaly.rule), quoted(anomaly.entity),
            quoted(anomaly.entity_id), quoted(anomaly.id), quoted(summary(anomaly)),
            quoted(anomaly.observed), quoted(anomaly.threshold),
            quoted(time_text(anomaly.detected_at)), quoted(time_text(ends)),
            quoted(options_.generator_url));
    }

    AlertmanagerOptions options_;
    const Clock& clock_;
    http::Client client_;
};

}  // namespace

std::string sign_webhook(const std::string& secret, std::int64_t unix_seconds,
                         const std::string& body) {
    std::string signed_text = fmt::format("{}.{}", unix_seconds, body);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(signed_text.data()), signed_text.size(), digest,
         &size);
    std::string text = fmt::format("t={},v1=", unix_seconds);
    for (unsigned int i = 0; i < size; ++i)
        text += fmt::format("{:02x}", digest[i]);
    return text;
}

std::unique_ptr<AlertSink> make_webhook_sink(WebhookOptions options, const Clock& clock) {
    return std::make_unique<WebhookSink>(std::move(options), clock);
}

std::unique_ptr<AlertSink> make_alertmanager_sink(AlertmanagerOptions options, const Clock& clock) {
    return std::make_unique<AlertmanagerSink>(std::move(options), clock);
}

}  // namespace adtally::alerts
