// See request_head.hpp.
#include "platform/http/request_head.hpp"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <limits>

#include "platform/http/ascii.hpp"

namespace adtally::http {

namespace {

namespace beast = boost::beast::http;

std::string_view view(boost::core::string_view text) {
    return {text.data(), text.size()};
}

Method method_of(beast::verb verb) {
    if (verb == beast::verb::post)
        return Method::post;
    if (verb == beast::verb::get)
        return Method::get;
    if (verb == beast::verb::head)
        return Method::head;
    if (verb == beast::verb::put)
        return Method::put;
    if (verb == beast::verb::patch)
        return Method::patch;
    if (verb == beast::verb::delete_)
        return Method::delete_;
    if (verb == beast::verb::options)
        return Method::options;
    return Method::other;
}

bool all_digits(std::string_view text) {
    for (char c : text) {
        if (c < '0' || c > '9')
            return false;
    }
    return !text.empty();
}

// Beast's parser for one head, which it gets whole. An error of ours ends it through `error`.
class HeadParser final : public beast::basic_parser<true> {
public:
    HeadParser(const HeadLimits& limits, RequestHead& head) : limits_(limits), head_(head) {
        header_limit(std::numeric_limits<std::uint32_t>::max());  // the block is bounded already
        body_limit(boost::none);                                  // checked by the caller
    }

    std::optional<ParseError> error;
    int hosts = 0;
    int codings = 0;
    int lengths = 0;
    bool plain_chunked = false;

private:
    using Code = boost::system::error_code;
    using View = boost::core::string_view;

    void refuse(int status, std::string_view code, std::string_view detail, Code& ec) {
        error = ParseError{status, code, detail};
        ec = beast::error::bad_value;
    }
    void on_request_impl(beast::verb verb, View, View target, int version, Code& ec) override {
        head_.method = method_of(verb);
        head_.target = view(target);
        head_.http11 = version == 11;
        if (target.size() > limits_.max_target_bytes)
            refuse(414, "uri_too_long", "the request target is too long", ec);
    }
    void on_field_impl(beast::field name, View name_text, View value_text, Code& ec) override {
        std::string_view value = view(value_text);
        if (head_.fields.size() == limits_.max_fields)
            return refuse(431, "too_many_headers", "too many header fields", ec);
        head_.fields.push_back({view(name_text), value});
        if (name == beast::field::host) {
            ++hosts;
            if (!is_sane_host(value))
                refuse(400, "host_invalid", "the Host field is malformed", ec);
        } else if (name == beast::field::content_length) {
            ++lengths;
            // Beast takes lists of equal lengths; no honest client sends them.
            if (lengths > 1 || !all_digits(value))
                refuse(400, "content_length_invalid", "exactly one plain Content-Length", ec);
        } else if (name == beast::field::transfer_encoding) {
            ++codings;
            plain_chunked = iequals(value, "chunked");
        } else if (name == beast::field::expect) {
            head_.expectation =
                iequals(value, "100-continue") ? Expectation::continue_100 : Expectation::unknown;
        } else if (name == beast::field::content_encoding) {
            head_.encoded = head_.encoded || !iequals(value, "identity");
        }
    }
    void on_header_impl(Code&) override {}
    void on_finish_impl(Code&) override {}
    // Never called: only a request's head is put.
    void on_response_impl(int, View, int, Code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, Code&) override {}
    std::size_t on_body_impl(View, Code&) override { return 0; }
    void on_chunk_header_impl(std::uint64_t, View, Code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, View, Code&) override { return 0; }

    const HeadLimits& limits_;
    RequestHead& head_;
};

// Beast has one error for a version that is malformed and one that is only not ours.
bool names_other_version(std::string_view block) {
    std::string_view line = block.substr(0, block.find('\r'));
    if (line == "PRI * HTTP/2.0")
        return false;  // the HTTP/2 preface: another protocol altogether
    if (line.size() < 9 || std::count(line.begin(), line.end(), ' ') != 2)
        return false;
    std::string_view version = line.substr(line.size() - 9);
    return version.starts_with(" HTTP/") && version[7] == '.' && all_digits(version.substr(6, 1)) &&
           all_digits(version.substr(8, 1));
}

ParseError error_of(const boost::system::error_code& ec, std::string_view block) {
    if (ec == beast::error::bad_version) {
        if (names_other_version(block))
            return {505, "version_not_supported", "only HTTP/1.0 and HTTP/1.1 are spoken here"};
        return {400, "request_line_invalid", "the request line is malformed"};
    }
    if (ec == beast::error::bad_method || ec == beast::error::bad_target)
        return {400, "request_line_invalid", "the request line is malformed"};
    if (ec == beast::error::bad_content_length || ec == beast::error::multiple_content_length)
        return {400, "content_length_invalid", "exactly one plain Content-Length"};
    if (ec == beast::error::bad_transfer_encoding)
        return {400, "framing_ambiguous", "Transfer-Encoding must be `chunked`, alone"};
    return {400, "header_invalid", "a header field is malformed"};
}

// Sets path and query from the target, in any of the forms of RFC 9112 §3.2.
bool split_target(RequestHead& head) {
    std::string_view rest = head.target;
    if (rest.find('#') != std::string_view::npos)
        return false;
    if (rest == "*") {
        head.path = rest;
        return head.method == Method::options;
    }
    if (!rest.starts_with('/')) {
        if (head.method == Method::other) {  // CONNECT names only an authority
            head.path = rest;
            return true;
        }
        std::size_t scheme = iequals(rest.substr(0, 7), "http://")    ? 7
                             : iequals(rest.substr(0, 8), "https://") ? 8
                                                                      : 0;
        if (scheme == 0)
            return false;
        rest.remove_prefix(scheme);
        std::size_t end = rest.find_first_of("/?");
        if (!is_sane_host(rest.substr(0, end)))
            return false;
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end);
    }
    std::size_t question = rest.find('?');
    head.path = rest.substr(0, question);
    if (head.path.empty())
        head.path = "/";
    head.query =
        question == std::string_view::npos ? std::string_view{} : rest.substr(question + 1);
    return true;
}

}  // namespace

void RequestHead::clear() {
    std::vector<HeaderField> keep = std::move(fields);
    keep.clear();
    *this = RequestHead{};
    fields = std::move(keep);
}

bool is_sane_host(std::string_view host) {
    std::size_t colon = host.rfind(':');
    std::size_t bracket = host.rfind(']');
    bool has_port =
        colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
    std::string_view name = has_port ? host.substr(0, colon) : host;
    if (has_port) {
        std::string_view port = host.substr(colon + 1);
        if (port.size() > 5 || (!port.empty() && !all_digits(port)))
            return false;
    }
    bool literal = name.starts_with('[') && name.ends_with(']') && name.size() > 2;
    if (literal)
        name = name.substr(1, name.size() - 2);
    if (name.empty())
        return false;
    for (char c : name) {
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        std::string_view others = literal ? std::string_view(".:") : "-._~!$&'()*+,;=%";
        if (!alnum && others.find(c) == std::string_view::npos)
            return false;
    }
    return true;
}

std::optional<ParseError> parse_head(std::string_view block, const HeadLimits& limits,
                                     RequestHead& into) {
    into.clear();
    HeadParser parser(limits, into);
    boost::system::error_code ec;
    parser.put(boost::asio::const_buffer(block.data(), block.size()), ec);
    if (parser.error)
        return parser.error;
    if (ec)
        return error_of(ec, block);
    if (!parser.is_header_done())
        return ParseError{400, "request_line_invalid", "the request head is malformed"};

    if (parser.codings > 0) {
        if (parser.codings > 1 || !parser.plain_chunked || !into.http11 || parser.lengths > 0)
            return ParseError{400, "framing_ambiguous",
                              "Transfer-Encoding must be `chunked`, alone, on HTTP/1.1"};
        into.chunked = true;
    }
    if (parser.hosts > 1 || (into.http11 && parser.hosts == 0))
        return ParseError{400, "host_invalid", "exactly one Host field is required"};
    if (!split_target(into))
        return ParseError{400, "target_invalid", "the request target is malformed"};
    if (parser.lengths > 0)
        into.content_length = *parser.content_length();
    into.keep_alive = parser.keep_alive();
    if (!into.http11)
        into.expectation = Expectation::none;  // RFC 9110 §10.1.1
    return std::nullopt;
}

}  // namespace adtally::http
