// A client's side of one request: holds the request's bytes and receives its one answer.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "platform/http/router.hpp"

namespace adtally::collector {

class FakeConnection final : public http::ResponseSink {
public:
    void respond(http::Response response) override {
        std::lock_guard lock(mutex_);
        ADTALLY_ASSERT(!response_);
        response_ = std::move(response);
        answered_.notify_all();
    }
    std::shared_ptr<http::BodyStream> stream(http::Response) override { return nullptr; }

    bool answered() const {
        std::lock_guard lock(mutex_);
        return response_.has_value();
    }
    const http::Response& response() const {
        std::lock_guard lock(mutex_);
        ADTALLY_ASSERT(response_);
        return *response_;
    }
    // For answers that another thread gives; false when the deadline passes first.
    bool wait(Deadline deadline) {
        std::unique_lock lock(mutex_);
        return answered_.wait_until(lock, deadline.at(), [this] { return response_.has_value(); });
    }
    int status() const { return response().status; }
    const std::string& body() const { return response().body; }
    std::string header(std::string_view name) const {
        for (const auto& [key, value] : response().headers) {
            if (key == name)
                return value;
        }
        return "";
    }

    http::Request request;
    std::string target;
    std::string body_bytes;
    std::vector<std::pair<std::string, std::string>> header_texts;
    std::vector<http::HeaderField> fields;

private:
    mutable std::mutex mutex_;
    std::condition_variable answered_;
    std::optional<http::Response> response_;
};

}  // namespace adtally::collector
