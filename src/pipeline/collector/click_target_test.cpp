// Which targets are followed, as a table.
#include "pipeline/collector/click_target.hpp"

#include <gmock/gmock.h>

#include <stdexcept>

#include "pipeline/collector/crypto.hpp"

namespace adtally::collector {
namespace {

constexpr TimestampMs now{1'705'327'402'123};
constexpr std::int64_t later = 1'705'327'403;
const domain::AdId ad{17};

Result<std::string> approve(const ClickTargets& targets, std::string_view to) {
    return targets.approve({to, ad, std::nullopt, std::nullopt}, now);
}

TEST(ClickTargets, FollowsListedHosts) {
    ClickTargets targets({"shop.example", "Mixed.Example", "dev.example:8443", "tls.example:443"},
                         "");
    struct Row {
        const char* to;
        const char* location;
    };
    for (const Row& row : {
             Row{"https://shop.example/a?b=c#d", "https://shop.example/a?b=c#d"},
             Row{"http://shop.example", "http://shop.example/"},
             Row{"https://shop.example?x=1", "https://shop.example/?x=1"},
             Row{"HTTPS://SHOP.Example/Path", "https://shop.example/Path"},
             Row{"https://mixed.example/", "https://mixed.example/"},
             Row{"https://shop.example:443/", "https://shop.example:443/"},
             Row{"http://shop.example:80/", "http://shop.example:80/"},
             Row{"https://dev.example:8443/", "https://dev.example:8443/"},
             Row{"https://tls.example/", "https://tls.example/"},
             Row{"https://shop.example/a b|c\"d", "https://shop.example/a%20b%7Cc%22d"},
             Row{"https://shop.example/gr\xC3\xBC\xC3\x9F", "https://shop.example/gr%C3%BC%C3%9F"},
             Row{"https://shop.example/a%0d%0ab", "https://shop.example/a%0d%0ab"},
             Row{"https://shop.example/?r=https://evil.example/@x",
                 "https://shop.example/?r=https://evil.example/@x"},
         }) {
        Result<std::string> location = approve(targets, row.to);
        ASSERT_TRUE(location) << row.to << ": " << location.error().message;
        EXPECT_EQ(location.value(), row.location);
    }
}

TEST(ClickTargets, RefusesEverythingElse) {
    ClickTargets targets({"shop.example", "dev.example:8443"}, "");
    for (const std::string& to : std::vector<std::string>{
             "",
             "https://evil.example/",
             "https://shop.example.evil.example/",
             "https://sub.shop.example/",
             "https://shop.example./",
             "https://shop.example:8443/",
             "http://shop.example:443/",
             "https://dev.example/",
             "https://shop.example:0/",
             "https://shop.example:/",
             "https://shop.example:99999/",
             "https://shop.example:0443/",
             "https://shop.example:443.evil.example/",
             "http://dev.example:8443-x/",
             "https://shop.example:443evil",
             "https://shop.example@evil.example/",
             "https://user:pass@shop.example/",
             "https://@shop.example/",
             "https://evil.example\\@shop.example/",
             "https:\\\\shop.example/",
             "https://shop.example\\evil",
             "//evil.example/",
             "//shop.example/",
             "///shop.example/",
             "/relative",
             "shop.example/",
             "https:shop.example",
             "https:///shop.example",
             "https://",
             "javascript:alert(1)",
             "JaVaScRiPt://shop.example/%0aalert(1)",
             "data:text/html,<script>alert(1)</script>",
             "ftp://shop.example/",
             "file:///etc/passwd",
             "https://shop.example/\r\nSet-Cookie: a=b",
             "https://shop.example/\nx",
             "\thttps://shop.example/",
             " https://shop.example/",
             "https://shop.example /",
             std::string("https://shop.example/\0x", 24),
             "https://shop.example/\x7f",
             "https://shop%2eexample/",
             "https://shop.example%00.evil.example/",
             "https://sh\xC3\xB6p.example/",
             "https://shop\xE3\x80\x82"
             "example/",
             "https://shop.example/\xFF",
             "https://shop.example/%zz",
             "https://shop.example/" + std::string(2'048, 'a'),
         }) {
        Result<std::string> location = approve(targets, to);
        ASSERT_FALSE(location) << to << " → " << location.value();
        EXPECT_EQ(location.error().code, ErrorCode::invalid_argument);
    }
}

TEST(ClickTargets, WithNothingConfiguredNothingIsFollowed) {
    ClickTargets targets({}, "");
    const std::string to = "https://shop.example/";
    const std::string sig = sign_click_target("", to, ad, later);

    EXPECT_FALSE(approve(targets, to));
    EXPECT_FALSE(targets.approve({to, ad, sig, std::to_string(later)}, now))
        << "an empty secret signs nothing";
}

TEST(ClickTargets, FollowsSignedTargetsInHexAndBase64Url) {
    ClickTargets targets({}, "s3cret");
    const std::string to = "https://any.example:8443/p?q=1";
    const std::string exp = std::to_string(later);

    EXPECT_TRUE(targets.approve({to, ad, sign_click_target("s3cret", to, ad, later), exp}, now));
    // printf '%s\n%s\n%s' "$to" 17 1705327403 | openssl dgst -sha256 -hmac s3cret -binary | basenc
    EXPECT_TRUE(targets.approve({to, ad, "128JHfGjue6LxraWxs5pkqJf0cxK_r7LhuKoto6HjY4", exp}, now));
    EXPECT_TRUE(
        targets.approve({to, ad, "128JHfGjue6LxraWxs5pkqJf0cxK_r7LhuKoto6HjY4=", exp}, now));
}

TEST(ClickTargets, RefusesSignaturesThatAreNotForThisLink) {
    ClickTargets targets({}, "s3cret");
    const std::string to = "https://any.example/";
    const std::string exp = std::to_string(later);
    const std::string good = sign_click_target("s3cret", to, ad, later);
    std::string tampered = good;
    tampered[10] = tampered[10] == '0' ? '1' : '0';

    EXPECT_TRUE(targets.approve({to, ad, good, exp}, now));
    EXPECT_FALSE(targets.approve({to, ad, tampered, exp}, now));
    EXPECT_FALSE(targets.approve({"https://evil.example/", ad, good, exp}, now));
    EXPECT_FALSE(targets.approve({to, domain::AdId{18}, good, exp}, now));
    EXPECT_FALSE(targets.approve({to, ad, good, "1705327404"}, now)) << "a longer life";
    EXPECT_FALSE(targets.approve({to, ad, good, "01705327403"}, now));
    EXPECT_FALSE(targets.approve({to, ad, good, std::nullopt}, now));
    EXPECT_FALSE(targets.approve({to, ad, std::nullopt, exp}, now));
    EXPECT_FALSE(targets.approve({to, ad, "", exp}, now));
    EXPECT_FALSE(targets.approve({to, ad, good.substr(0, 62), exp}, now));
    EXPECT_FALSE(targets.approve({to, ad, sign_click_target("other", to, ad, later), exp}, now));
}

TEST(ClickTargets, ASignedLinkEndsAtItsMoment) {
    ClickTargets targets({}, "s3cret");
    const std::string to = "https://any.example/";
    const std::string sig = sign_click_target("s3cret", to, ad, later);

    EXPECT_TRUE(targets.approve({to, ad, sig, "1705327403"}, TimestampMs{later * 1000 - 1}));
    EXPECT_FALSE(targets.approve({to, ad, sig, "1705327403"}, TimestampMs{later * 1000}));
}

TEST(ClickTargets, ASignatureDoesNotMakeAnAddressOfWhatIsNone) {
    ClickTargets targets({}, "s3cret");
    for (const std::string& to :
         {std::string("javascript:alert(1)"), std::string("//evil.example/"),
          std::string("https://a@b.example/"), std::string("https://a.example/\r\nX: y")}) {
        const std::string sig = sign_click_target("s3cret", to, ad, later);
        EXPECT_FALSE(targets.approve({to, ad, sig, std::to_string(later)}, now)) << to;
    }
}

TEST(ClickTargets, SaysAtStartWhichHostIsNone) {
    for (const char* entry :
         {"", "*", "*.shop.example/", "https://shop.example", "shop.example/", "a@shop.example",
          "shop.example?x", "shop example", "shop.example:x", "shop.example:"})
        EXPECT_THROW(ClickTargets({entry}, ""), std::runtime_error) << entry;
}

TEST(ClickId, IsAddedBesideWhatIsThere) {
    EXPECT_EQ(with_click_id("https://a.example/", "cid", "x:1"), "https://a.example/?cid=x:1");
    EXPECT_EQ(with_click_id("https://a.example/?b=%2F&c#d", "cid", "1"),
              "https://a.example/?b=%2F&c&cid=1#d");
    EXPECT_EQ(with_click_id("https://a.example/a=cb?#d", "cid", "1"),
              "https://a.example/a=cb?cid=1#d");
    EXPECT_EQ(with_click_id("https://a.example/?", "cid", "1"), "https://a.example/?cid=1");
    EXPECT_EQ(with_click_id("https://a.example/#?cid=0", "cid", "1"),
              "https://a.example/?cid=1#?cid=0");
    EXPECT_EQ(with_click_id("https://a.example/?xcid=0", "cid", "1"),
              "https://a.example/?xcid=0&cid=1");
    EXPECT_EQ(with_click_id("https://a.example/", "", "1"), "https://a.example/");
    EXPECT_EQ(with_click_id("https://a.example/?cid=own", "cid", "1"),
              "https://a.example/?cid=own");
}

TEST(EscapeHtml, LeavesNoWayOutOfAnAttribute) {
    EXPECT_EQ(escape_html(R"(<a b="c" d='e'>&)"), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
}

TEST(Signature, HasOneSpellingInEachAlphabet) {
    std::string zeros(32, '\0');
    EXPECT_EQ(parse_signature(std::string(64, '0')), zeros);
    EXPECT_EQ(parse_signature(std::string(43, 'A')), zeros);
    EXPECT_EQ(parse_signature(std::string(42, 'A') + "B"), std::nullopt);
    EXPECT_EQ(parse_signature(std::string(43, '+')), std::nullopt);
    EXPECT_EQ(parse_signature(std::string(64, 'g')), std::nullopt);
    EXPECT_EQ(parse_signature(std::string(44, 'A')), std::nullopt);
}

}  // namespace
}  // namespace adtally::collector
