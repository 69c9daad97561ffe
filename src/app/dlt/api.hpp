// What `adtally dlt` asks: a processor's operations API.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "base/result.hpp"
#include "platform/http/client.hpp"

namespace adtally::dlt {

class Api {
public:
    virtual ~Api() = default;
    // `path` with its query. `invalid_argument` when the question was refused as wrong, each error
    // with what was answered.
    virtual Result<boost::json::object> ask(const std::string& method, const std::string& path) = 0;
};

class HttpApi final : public Api {
public:
    explicit HttpApi(std::string url) : url_(std::move(url)) {}
    Result<boost::json::object> ask(const std::string& method, const std::string& path) override;

private:
    std::string url_;
    http::Client client_;
};

}  // namespace adtally::dlt
