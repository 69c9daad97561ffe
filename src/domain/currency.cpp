// The codes of ISO 4217 (list one with its funds codes, without precious metals, testing and "no
// currency") as a set of 26³ bits: one lookup, no search. Codes retired since 2024 (ANG, BGN, ZWL)
// stay: stored events carry them.
#include <array>
#include <cstdint>
#include <string_view>

#include "domain/event_fields.hpp"

namespace adtally::domain {
namespace {

constexpr std::string_view active_codes =
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN "
    "BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP "
    "ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK "
    "JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK "
    "MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN "
    "PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS "
    "TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XCD "
    "XCG "
    "XOF XPF XSU XUA YER ZAR ZMW ZWG ZWL";

constexpr std::size_t index_of(std::string_view code) {
    auto letter = [&](std::size_t place) { return static_cast<std::size_t>(code[place] - 'A'); };
    return (letter(0) * 26 + letter(1)) * 26 + letter(2);
}

constexpr auto code_set = [] {
    std::array<std::uint64_t, 26 * 26 * 26 / 64 + 1> set{};
    for (std::size_t at = 0; at < active_codes.size(); at += 4) {
        std::size_t index = index_of(active_codes.substr(at, 3));
        set[index / 64] |= std::uint64_t{1} << (index % 64);
    }
    return set;
}();

}  // namespace

bool is_currency(std::string_view code) {
    if (code.size() != 3)
        return false;
    for (char letter : code) {
        if (letter < 'A' || letter > 'Z')
            return false;
    }
    std::size_t index = index_of(code);
    return (code_set[index / 64] >> (index % 64) & 1) != 0;
}

}  // namespace adtally::domain
