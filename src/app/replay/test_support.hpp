// For this folder's tests: a file that removes itself, and a collector that is told what to answer.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "app/replay/reader.hpp"
#include "app/replay/sender.hpp"

namespace adtally::replay {

class TemporaryFile {
public:
    explicit TemporaryFile(std::string_view content) {
        std::string pattern = (std::filesystem::temp_directory_path() / "replay-XXXXXX").string();
        int file = ::mkstemp(pattern.data());
        EXPECT_GE(file, 0);
        ::close(file);
        path_ = pattern;
        std::ofstream{path_, std::ios::binary} << content;
    }
    ~TemporaryFile() { std::filesystem::remove(path_); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

struct ReadAll {
    std::vector<ReplayEvent> events;
    std::vector<std::string> errors;
};

inline ReadAll read_all(Format format, const std::string& path, const ReaderOptions& options = {}) {
    ReadAll all;
    auto reader = open_reader(format, path, options);
    EXPECT_TRUE(reader) << path;
    for (;;) {
        auto more = reader.value()->next(all.events);
        if (!more) {
            all.errors.push_back(more.error().message);
        } else if (!more.value()) {
            return all;
        }
    }
}

// Answers from a script, one entry a request; afterwards accepts everything.
class ScriptedCollector {
public:
    struct Answer {
        int status = 202;  // 0: the connection breaks
        std::string body;
        std::vector<std::pair<std::string, std::string>> headers;
    };

    void will_answer(Answer answer) {
        std::lock_guard lock(mutex_);
        script_.push_back(std::move(answer));
    }
    std::vector<std::string> bodies() const {
        std::lock_guard lock(mutex_);
        return bodies_;
    }
    TransportFactory transport() {
        return [this] { return std::make_unique<Line>(*this); };
    }

private:
    class Line final : public Transport {
    public:
        explicit Line(ScriptedCollector& collector) : collector_(collector) {}
        Result<http::ClientResponse> send(const http::ClientRequest& request) override {
            return collector_.answer(request.body);
        }

    private:
        ScriptedCollector& collector_;
    };

    Result<http::ClientResponse> answer(const std::string& body) {
        std::lock_guard lock(mutex_);
        bodies_.push_back(body);
        if (script_.empty()) {
            auto lines = std::count(body.begin(), body.end(), '\n');
            return http::ClientResponse{202, R"({"accepted":)" + std::to_string(lines) + "}", {}};
        }
        Answer next = std::move(script_.front());
        script_.pop_front();
        if (next.status == 0) {
            return Error{ErrorCode::unavailable, "the connection broke"};
        }
        return http::ClientResponse{next.status, next.body, next.headers};
    }

    mutable std::mutex mutex_;
    std::deque<Answer> script_;
    std::vector<std::string> bodies_;
};

}  // namespace adtally::replay
