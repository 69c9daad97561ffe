// Outgoing HTTP over libcurl: see client.hpp.
//
// One easy handle, so that connections, TLS sessions and name look-ups are kept between calls. The
// environment's proxy variables hold, as everywhere with curl.
#include "platform/http/client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <mutex>

#include "base/assert.hpp"
#include "platform/http/ascii.hpp"

namespace adtally::http {

namespace {

constexpr std::size_t max_header_fields = 256;
constexpr Milliseconds max_connect_time{3'000};

void initialise_curl_once() {
    static std::once_flag once;
    std::call_once(once, [] { ADTALLY_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
}

struct Receiving {
    ClientResponse response;
    std::size_t max_bytes = 0;
    bool too_large = false;
};

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
    auto& receiving = *static_cast<Receiving*>(user);
    std::size_t bytes = size * count;
    if (receiving.response.body.size() + bytes > receiving.max_bytes) {
        receiving.too_large = true;
        return 0;  // ends the transfer
    }
    receiving.response.body.append(data, bytes);
    return bytes;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
    auto& receiving = *static_cast<Receiving*>(user);
    std::size_t bytes = size * count;
    std::string_view line(data, bytes);
    while (line.ends_with('\n') || line.ends_with('\r'))
        line.remove_suffix(1);
    if (line.starts_with("HTTP/"))
        receiving.response.headers.clear();  // of a 100 Continue before
    std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || receiving.response.headers.size() == max_header_fields)
        return bytes;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), ascii_lower);
    receiving.response.headers.emplace_back(std::move(name), trim_blanks(line.substr(colon + 1)));
    return bytes;
}

bool fits_in_a_line(std::string_view text) {
    constexpr std::string_view breaking("\r\n\0", 3);
    return text.find_first_of(breaking) == std::string_view::npos;
}

Error error_of(CURLcode code, const char* detail, const std::string& url) {
    std::string what = detail[0] != '\0' ? detail : curl_easy_strerror(code);
    std::string message = url + ": " + what;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return {ErrorCode::timed_out, message};
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        return {ErrorCode::invalid_argument, message + "; give an http or https URL"};
    return {ErrorCode::unavailable, message};
}

using HeaderList = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

}  // namespace

struct Client::Impl {
    CURL* easy = nullptr;
    char detail[CURL_ERROR_SIZE] = {};

    Impl() {
        initialise_curl_once();
        easy = curl_easy_init();
        ADTALLY_ASSERT(easy != nullptr);
    }
    ~Impl() { curl_easy_cleanup(easy); }

    void set_up(const ClientRequest& request, Receiving& receiving) {
        curl_easy_reset(easy);  // keeps connections
        detail[0] = '\0';
        curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
        auto timeout = std::max(request.timeout, Milliseconds{1});
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                         static_cast<long>(std::min(timeout, max_connect_time).count()));
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &receiving);
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, &receiving);
        set_method(request);
    }

    void set_method(const ClientRequest& request) {
        if (request.method == "HEAD") {
            curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
            return;
        }
        bool sends = !request.body.empty() || request.method == "POST" || request.method == "PUT" ||
                     request.method == "PATCH";
        if (sends) {
            curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                             static_cast<curl_off_t>(request.body.size()));
            curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
        }
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
};

Client::Client() : impl_(std::make_unique<Impl>()) {}
Client::~Client() = default;

Result<ClientResponse> Client::send(const ClientRequest& request) {
    if (!fits_in_a_line(request.method) || request.method.empty())
        return Error{ErrorCode::invalid_argument, "the method is no word of HTTP"};
    Receiving receiving;
    receiving.max_bytes = request.max_response_bytes;
    impl_->set_up(request, receiving);
    HeaderList headers(nullptr, curl_slist_free_all);
    auto add = [&](const std::string& line) {
        curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
        ADTALLY_ASSERT(longer != nullptr);
        static_cast<void>(headers.release());
        headers.reset(longer);
    };
    add("Expect:");  // bodies are small: no round trip before them
    for (const auto& [name, value] : request.headers) {
        if (!fits_in_a_line(name) || !fits_in_a_line(value) || name.empty())
            return Error{ErrorCode::invalid_argument, "header \"" + name + "\" has a line break"};
        add(value.empty() ? name + ";" : name + ": " + value);
    }
    curl_easy_setopt(impl_->easy, CURLOPT_HTTPHEADER, headers.get());
    CURLcode code = curl_easy_perform(impl_->easy);
    curl_easy_setopt(impl_->easy, CURLOPT_HTTPHEADER, nullptr);
    if (receiving.too_large)
        return Error{ErrorCode::too_large, request.url + ": the answer is larger than " +
                                               std::to_string(request.max_response_bytes) +
                                               " bytes"};
    if (code != CURLE_OK)
        return error_of(code, impl_->detail, request.url);
    long status = 0;
    curl_easy_getinfo(impl_->easy, CURLINFO_RESPONSE_CODE, &status);
    receiving.response.status = static_cast<int>(status);
    return std::move(receiving.response);
}

}  // namespace adtally::http
