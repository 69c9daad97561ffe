// Where alerts go. A sink delivers one anomaly, or says why not; the worker repeats it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "pipeline/processor/alerts/anomaly.hpp"
#include "platform/eventlog/event_log.hpp"
#include "platform/observability/log.hpp"

namespace adtally::alerts {

class AlertSink {
public:
    virtual ~AlertSink() = default;
    // Names the cursor in Redis: renaming a sink starts it anew.
    virtual std::string name() const = 0;
    // May be called again for the same anomaly, after a crash or a lost answer: what it sends
    // carries a key by which the other side can tell.
    virtual Status deliver(const Anomaly& anomaly) = 0;
};

// A line in our own log.
std::unique_ptr<AlertSink> make_log_sink();
// The topic ad-anomalies; key = entity:id.
std::unique_ptr<AlertSink> make_topic_sink(eventlog::Producer& producer, std::string topic);
// Calls a function: server-sent events.
std::unique_ptr<AlertSink> make_listener_sink(std::string name,
                                              std::function<void(const std::string&)> listener);

struct WebhookOptions {
    std::string url;
    std::string secret;  // empty: not signed
    Milliseconds timeout{5'000};
};
// POST of the anomaly as JSON. Headers: Idempotency-Key: "<incident>:<state>"; with a secret
// X-Adtally-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256(secret, "<t>.<body>")>.
std::unique_ptr<AlertSink> make_webhook_sink(WebhookOptions options, const Clock& clock);

struct AlertmanagerOptions {
    std::string url;  // base: http://alertmanager:9093
    std::string generator_url;
    Milliseconds timeout{5'000};
};
// POST /api/v2/alerts. An incident's labels never change, so that Alertmanager groups OPEN and
// RESOLVED; endsAt closes it. Click patterns end by themselves after the session's 30 min.
std::unique_ptr<AlertSink> make_alertmanager_sink(AlertmanagerOptions options, const Clock& clock);

// The signature of WebhookOptions, for those who verify it: "t=…,v1=…".
std::string sign_webhook(const std::string& secret, std::int64_t unix_seconds,
                         const std::string& body);

}  // namespace adtally::alerts
