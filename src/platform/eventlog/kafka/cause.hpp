// Why a cluster does not serve us, in one line that stays the same while the reason does.
//
// Problem. A question to librdkafka that fails says that nobody answered in time. What is wrong
// only the connections know: each says it in its own words, with figures in them that are new every
// time, some only in passing (a disconnect), and the real reason (a wrong password) is followed by
// a vague one ("all brokers are down").
//
// Design. Kept is what explains most: settings that the broker refuses, before a broker that does
// not take the connection, before one that ended it. Of the same kind the first stays.
//
// Threads. Any.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "platform/eventlog/kafka/client.hpp"

namespace adtally::eventlog::kafka {

class Cause {
public:
    // What librdkafka's error callback was told.
    void note(int code, std::string_view detail);
    // The cluster has served us.
    void clear();
    // What is known, with the remedy.
    std::optional<Error> known() const;

private:
    mutable std::mutex mutex_;
    int weight_ = 0;
    std::optional<Error> known_;
};

// An error of a connection: others may go on.
bool is_of_one_connection(int code);

// A handle made of `conf` tells `cause` what its connections complain of, whenever it is polled.
// Takes the opaque of the handle.
void tell(rd_kafka_conf_s* conf, Cause& cause);

}  // namespace adtally::eventlog::kafka
