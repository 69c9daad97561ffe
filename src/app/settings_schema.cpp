#include "app/settings_schema.hpp"

#include <string>
#include <utility>

namespace adtally::app {
namespace {

using config::Kind;
using config::Setting;

Setting whole(std::string key, std::string meaning, std::string unit, std::int64_t otherwise,
              double min, double max) {
    Setting setting;
    setting.key = std::move(key);
    setting.kind = Kind::integer;
    setting.meaning = std::move(meaning);
    setting.unit = std::move(unit);
    setting.default_value = std::to_string(otherwise);
    setting.min = min;
    setting.max = max;
    return setting;
}

Setting text(std::string key, std::string meaning, std::string otherwise = "") {
    Setting setting;
    setting.key = std::move(key);
    setting.meaning = std::move(meaning);
    setting.default_value = std::move(otherwise);
    return setting;
}

Setting list(std::string key, std::string meaning, std::string otherwise = "") {
    Setting setting = text(std::move(key), std::move(meaning), std::move(otherwise));
    setting.kind = Kind::text_list;
    return setting;
}

Setting choice(std::string key, std::string meaning, std::vector<std::string> choices) {
    Setting setting = text(std::move(key), std::move(meaning), choices.front());
    setting.kind = Kind::choice;
    setting.choices = std::move(choices);
    return setting;
}

Setting percent(std::string key, std::string meaning, std::string otherwise) {
    Setting setting = text(std::move(key), std::move(meaning), std::move(otherwise));
    setting.kind = Kind::number;
    setting.unit = "%";
    setting.min = 0.0001;
    setting.max = 100;
    return setting;
}

Setting secret(Setting setting) {
    setting.secret = true;
    return setting;
}

Setting live(Setting setting) {
    setting.live = true;
    return setting;
}

void add_shared(std::vector<Setting>& all) {
    all.push_back(choice("log.format", "how log lines are written", {"json", "text"}));
    Setting level = live(choice("log.level", "least level that is logged",
                                {"info", "trace", "debug", "warn", "error", "off"}));
    all.push_back(std::move(level));
    all.push_back(secret(text("redis.url",
                              "an existing Redis, redis://host:port/db; empty: adtally starts and "
                              "supervises one of its own in the data directory")));
    all.push_back(whole("redis.port", "port of the Redis that adtally starts", "", 6379, 1, 65535));
    all.push_back(whole("eventlog.partitions",
                        "partitions of each topic; fixed when the data directory is made", "", 4, 1,
                        1024));
    all.push_back(whole("eventlog.commit-linger-ms",
                        "how long a group commit waits for company; longer is cheaper, shorter "
                        "answers sooner",
                        "ms", 7, 0, 1000));
    all.push_back(
        whole("eventlog.retention-hours", "how long events are kept", "h", 168, 1, 24 * 365));
    all.push_back(whole("eventlog.max-bytes-in-flight",
                        "events waiting for their commit; past it: 503", "bytes", 64 << 20, 1 << 20,
                        1 << 30));
    all.push_back(whole("eventlog.min-free-disk-bytes",
                        "free space that is left untouched; below it: 503", "bytes", 64 << 20,
                        1 << 20, 1e12));
}

void add_kafka(std::vector<Setting>& all) {
    all.push_back(text("kafka.bootstrap-servers", "brokers of an existing Kafka, host:port,…"));
    all.push_back(secret(list("kafka.properties",
                              "passed to librdkafka, name=value,…: security.protocol, sasl.*, "
                              "ssl.* and others; a value with a comma only as an item of a "
                              "YAML list")));
    all.push_back(choice("kafka.create-topics", "make topics that are missing", {"yes", "no"}));
    all.push_back(whole("kafka.partitions", "partitions of a topic that is made", "", 12, 1, 1024));
    all.push_back(text("kafka.group", "consumer group of the processors", "adtally-processor"));
    all.push_back(text("kafka.instance",
                       "fixed name of this processor in its group: it keeps its partitions over a "
                       "short restart; empty: none"));
    all.push_back(whole("kafka.append-deadline-ms", "for the brokers' acknowledgement", "ms", 2'000,
                        50, 300'000));
    all.push_back(whole("kafka.linger-ms",
                        "how long an event waits for company; longer is cheaper, shorter answers "
                        "sooner",
                        "ms", 10, 0, 1000));
    all.push_back(whole("spool.max-events",
                        "events that a collector keeps while Kafka is away; past it: 503", "events",
                        50'000'000, 1, 1e12));
    all.push_back(whole("kafka.session-timeout-ms",
                        "a processor that is silent so long loses its partitions", "ms", 6'000,
                        1'000, 300'000));
}

void add_http(std::vector<Setting>& all, const std::string& service, std::int64_t port,
              const char* bind) {
    all.push_back(whole(service + ".port", "port of its HTTP server", "", port, 1, 65535));
    all.push_back(text(service + ".bind", "address it listens on", bind));
    all.push_back(whole(service + ".io-threads", "threads that serve connections", "", 1, 1, 64));
    all.push_back(whole(service + ".max-connections", "open connections; one more gets 503", "",
                        10'000, 1, 1'000'000));
}

void add_collector(std::vector<Setting>& all) {
    add_http(all, "collector", 8085, "0.0.0.0");
    all.push_back(whole("collector.max-connections-per-ip",
                        "open connections of one address; one more gets 429; 0: no limit", "", 0, 0,
                        1'000'000));
    all.push_back(whole("collector.rate-limit-per-ip",
                        "requests of one address a second; more get 429; 0: no limit", "requests/s",
                        0, 0, 1e9));
    all.push_back(whole("collector.rate-limit-burst",
                        "requests that may come at once before the rate counts; 0: twice the rate",
                        "requests", 0, 0, 1e9));
    all.push_back(
        list("collector.trusted-proxies", "networks (CIDR) whose X-Forwarded-For is believed"));
    all.push_back(whole("collector.header-timeout-ms",
                        "from a request's first byte to the end of its header, else 408", "ms",
                        10'000, 100, 600'000));
    all.push_back(whole("collector.body-timeout-ms",
                        "from the header's end to the body's, else 408", "ms", 30'000, 100,
                        600'000));
    all.push_back(whole("collector.idle-timeout-ms", "a connection without requests is closed",
                        "ms", 75'000, 100, 3'600'000));
    all.push_back(whole("collector.max-body-bytes", "largest request body; a larger one gets 413",
                        "bytes", 4 << 20, 1024, 64 << 20));
    all.push_back(whole("collector.max-batch-events", "events in one batch; more get 413", "events",
                        5'000, 1, 100'000));
    all.push_back(whole("collector.max-events-in-flight",
                        "events read and not yet durable; past it: 503", "events", 200'000, 1,
                        10'000'000));
    all.push_back(whole("collector.ack-deadline-ms",
                        "an event that is not durable by then is answered 503", "ms", 10'000, 10,
                        300'000));
    all.push_back(choice("collector.unknown-fields",
                         "reject: name them in a 400; keep: scalars become attributes",
                         {"reject", "keep"}));
    all.push_back(list("collector.redirect-hosts",
                       "hosts that click redirects may lead to without a signature"));
    all.push_back(secret(text("collector.click-secret",
                              "key of HMAC signatures on click targets; empty: none is accepted")));
    all.push_back(secret(list("collector.postback-tokens",
                              "tokens that postbacks must carry one of; empty: none is asked")));
    all.push_back(
        list("collector.cors-origins", "origins that browsers may send from; *: any", "*"));
}

void add_processor(std::vector<Setting>& all) {
    add_http(all, "processor", 8086, "0.0.0.0");
    all.push_back(whole("processor.workers",
                        "threads that count, each with partitions of its own; above 1 on Kafka "
                        "only",
                        "", 1, 1, 256));
    all.push_back(text("processor.reporting-zone",
                       "time zone of hours and days: UTC, +08:00, Europe/Berlin", "UTC"));
    all.push_back(
        whole("processor.flush-interval-ms", "how often counts go to Redis", "ms", 20, 1, 10'000));
    all.push_back(whole("processor.flush-events", "or after so many events, if that is sooner",
                        "events", 50'000, 1, 1'000'000));
    all.push_back(whole("processor.reconcile-every-s",
                        "how often accepted, appended and counted are compared", "s", 60, 1,
                        3'600));
    all.push_back(whole("processor.dedup-window-s",
                        "an event with the same type and id within this time counts once", "s", 600,
                        1, 86'400));
    all.push_back(
        live(percent("processor.ctr-open-percent",
                     "a click-through rate above it over five minutes is an anomaly", "10")));
    all.push_back(live(percent("processor.ctr-close-percent",
                               "and below it is over; not above ctr-open-percent", "8")));
    all.push_back(live(whole("processor.ctr-min-impressions",
                             "impressions in five minutes that a rate needs to mean something",
                             "impressions", 100, 1, 1e9)));
    all.push_back(
        live(whole("processor.session-clicks",
                   "more clicks than this in one session are an anomaly", "clicks", 10, 1, 1e9)));
    all.push_back(text("alerts.webhook-url", "anomalies are posted here; empty: nowhere"));
    all.push_back(secret(text("alerts.webhook-secret", "key of the webhook's HMAC signature")));
    all.push_back(text("alerts.alertmanager-url", "base URL of an Alertmanager; empty: none"));
}

}  // namespace

std::vector<config::Setting> settings_schema() {
    std::vector<Setting> all;
    add_shared(all);
    add_kafka(all);
    add_collector(all);
    add_processor(all);
    return all;
}

}  // namespace adtally::app
