// For tests: requests that two parsers could read in two ways, or that no server should take, and
// the status each must get. Also a few that look odd and are right (200).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace adtally::http::test {

// The limits that the rows reckon with.
inline constexpr std::size_t row_max_body_bytes = 100'000;
inline constexpr std::size_t row_max_fields = 5;

inline std::string with_fields(std::string_view fields) {
    return "POST /a HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}

struct FramingRow {
    const char* what;
    std::string bytes;
    int status;
};

// Fields that frame the message or name the host.
inline std::vector<FramingRow> field_rows() {
    return {
        {"gzip alone", with_fields("Transfer-Encoding: gzip\r\n"), 400},
        {"chunked, identity", with_fields("Transfer-Encoding: chunked, identity\r\n"), 400},
        {"gzip, chunked", with_fields("Transfer-Encoding: gzip, chunked\r\n"), 400},
        {"xchunked", with_fields("Transfer-Encoding: xchunked\r\n"), 400},
        {"two codings", with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
         400},
        {"empty coding", with_fields("Transfer-Encoding: \r\n"), 400},
        {"coding, length", with_fields("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400},
        {"length, coding", with_fields("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400},
        {"coding on 1.0", "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"no Host", "GET /a HTTP/1.1\r\n\r\n", 400},
        {"two Hosts", "GET /a HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400},
        {"two Hosts on 1.0", "GET /a HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", 400},
        {"empty Host", "GET /a HTTP/1.1\r\nHost:\r\n\r\n", 400},
        {"odd Host", "GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
        {"odd port", "GET /a HTTP/1.1\r\nHost: a:1x\r\n\r\n", 400},
        {"folded field", with_fields("X: a\r\n b\r\n"), 400},
        {"folded with tab", with_fields("X: a\r\n\tb\r\n"), 400},
        {"blank before fields", "GET /a HTTP/1.1\r\n Host: h\r\n\r\n", 400},
        {"bare LF in fields", "GET /a HTTP/1.1\nHost: h\n\n", 400},
        {"one bare LF", "GET /a HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", 400},
        {"bare CR", with_fields("X: a\rb\r\n"), 400},
        {"blank before colon", with_fields("X : a\r\n"), 400},
        {"no colon", with_fields("Xa\r\n"), 400},
        {"empty name", with_fields(": a\r\n"), 400},
        {"length +3", with_fields("Content-Length: +3\r\n"), 400},
        {"negative length", with_fields("Content-Length: -3\r\n"), 400},
        {"hex length", with_fields("Content-Length: 0x3\r\n"), 400},
        {"list of lengths", with_fields("Content-Length: 3, 3\r\n"), 400},
        {"empty length", with_fields("Content-Length:\r\n"), 400},
        {"differing lengths", with_fields("Content-Length: 3\r\nContent-Length: 4\r\n"), 400},
        {"equal lengths", with_fields("Content-Length: 3\r\nContent-Length: 3\r\n"), 400},
        {"overflowing length", with_fields("Content-Length: 99999999999999999999\r\n"), 400},
    };
}

// Bodies: too large, or chunked in a way that is not quite right.
inline std::vector<FramingRow> body_rows() {
    std::string chunked = with_fields("Transfer-Encoding: chunked\r\n");
    return {
        {"length over the limit", with_fields("Content-Length: 100001\r\n"), 413},
        {"chunk over the limit", chunked + "186a1\r\n", 413},
        {"huge chunk size", chunked + "fffffffffffffffffff\r\n", 413},
        {"sixteen zeros", chunked + "0000000000000000\r\n", 400},
        {"chunk size +5", chunked + "+5\r\nhello\r\n", 400},
        {"chunk size 0x5", chunked + "0x5\r\nhello\r\n", 400},
        {"blank after size", chunked + "5 \r\nhello\r\n", 400},
        {"chunk too long", chunked + "5\r\nhelloX\r\n", 400},
        {"bare LF after size", chunked + "5\nhello\r\n", 400},
        {"bare LF in extension", chunked + "5;a\nb\r\nhello\r\n", 400},
        {"long extension", chunked + "5;" + std::string(300, 'x') + "\r\n", 400},
        {"many trailers", chunked + "0\r\nX: " + std::string(5'000, 'x') + "\r\n\r\n", 400},
        {"bare LF in trailer", chunked + "0\r\nX: a\n\r\n", 400},
        {"folded trailer", chunked + "0\r\nX: a\r\n b\r\n\r\n", 400},
    };
}

// Limits, other protocols, request lines.
inline std::vector<FramingRow> line_rows() {
    std::string nul("GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n", 30);
    std::string nul_value("GET /a HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 37);
    std::string long_target = "GET /" + std::string(9'000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n";
    std::string six_fields = "A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\n";
    return {
        {"header too large", with_fields("X: " + std::string(20'000, 'x') + "\r\n"), 431},
        {"header without end", "GET /a HTTP/1.1\r\nX: " + std::string(20'000, 'x'), 431},
        {"too many fields", with_fields(six_fields), 431},
        {"target too long", long_target, 414},
        {"target without end", "GET /" + std::string(20'000, 'a'), 414},
        {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
        {"TLS hello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), 400},
        {"NUL first", std::string("\0GET / HTTP/1.1\r\n", 17), 400},
        {"NUL in target", nul, 400},
        {"NUL in value", nul_value, 400},
        {"version 2.0", "GET /a HTTP/2.0\r\nHost: h\r\n\r\n", 505},
        {"version 1.2", "GET /a HTTP/1.2\r\nHost: h\r\n\r\n", 505},
        {"version 0.9", "GET /a HTTP/0.9\r\nHost: h\r\n\r\n", 505},
        {"no version", "GET /a\r\n\r\n", 400},
        {"odd version", "GET /a HTTP/x.y\r\nHost: h\r\n\r\n", 400},
        {"small http", "GET /a http/1.1\r\nHost: h\r\n\r\n", 400},
        {"two blanks", "GET  /a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"blank in target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"relative target", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"star for GET", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"blank first", " GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"two empty lines first", "\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    };
}

// Odd and right.
inline std::vector<FramingRow> odd_rows() {
    return {
        {"one empty line first", "\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", 200},
        {"absolute target", "GET http://h:80/a?b HTTP/1.1\r\nHost: h\r\n\r\n", 200},
        {"star for OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 200},
        {"IPv6 Host", "GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 200},
        {"1.0 without Host", "GET /a HTTP/1.0\r\n\r\n", 200},
        {"Chunked in capitals", with_fields("Transfer-Encoding: Chunked\r\n") + "0\r\n\r\n", 200},
    };
}

inline std::vector<FramingRow> framing_rows() {
    std::vector<FramingRow> all;
    for (auto rows : {field_rows(), body_rows(), line_rows(), odd_rows()})
        all.insert(all.end(), rows.begin(), rows.end());
    return all;
}

}  // namespace adtally::http::test
