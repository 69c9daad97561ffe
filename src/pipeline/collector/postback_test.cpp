// Money and ids of postbacks.
#include "pipeline/collector/postback.hpp"

#include <gmock/gmock.h>

#include "domain/ids.hpp"

namespace adtally::collector {
namespace {

TEST(Money, IsExact) {
    struct Row {
        const char* text;
        std::int64_t micros;
    };
    for (const Row& row : {
             Row{"0", 0},
             Row{"12.30", 12'300'000},
             Row{"12.3", 12'300'000},
             Row{"0.1", 100'000},
             Row{"0.000001", 1},
             Row{"0.29", 290'000},
             Row{"1.1234560000", 1'123'456},
             Row{"007", 7'000'000},
             Row{"999999.999999", 999'999'999'999},
             Row{"1000000", 1'000'000'000'000},
             Row{"1000000.000000", 1'000'000'000'000},
         })
        EXPECT_EQ(parse_money(row.text), row.micros) << row.text;
}

TEST(Money, IsNotGuessedAt) {
    for (const char* text :
         {"", ".", "1.", ".5", "-1", "+1", "1,5", "1e3", "0x1", " 1", "1 ", "1.0000001", "NaN",
          "1.2.3", "1000000.000001", "1000001", "99999999999999999999999999", "$5", "1.-5"})
        EXPECT_EQ(parse_money(text), std::nullopt) << text;
}

TEST(TransactionId, IsReadableWhereItFits) {
    EXPECT_EQ(transaction_event_id("2", "", "A-1"), "txid:2:A-1");
    EXPECT_EQ(transaction_event_id("2", "signup", "A-1"), "txid:2:signup:A-1");
}

TEST(TransactionId, IsHashedWhereItDoesNot) {
    std::string strange = transaction_event_id("2", "", "order #1");
    std::string longer = transaction_event_id("2", "", std::string(64, 'x'));

    EXPECT_THAT(strange, testing::StartsWith("txid:sha256:"));
    EXPECT_TRUE(domain::is_event_id(strange));
    EXPECT_TRUE(domain::is_event_id(longer));
    EXPECT_EQ(strange, transaction_event_id("2", "", "order #1"));
    EXPECT_NE(strange, transaction_event_id("3", "", "order #1"));
    EXPECT_NE(strange, transaction_event_id("2", "", "order #2"));
}

TEST(Translation, GivesFieldsTheirOwnNames) {
    Parameters parameters{{"clickid", "k"},     {"goal", "signup"},      {"amount", "5"},
                          {"ts", "1705327000"}, {"transaction_id", "9"}, {"campaign_id", "2"},
                          {"user_id", "stays"}};

    EXPECT_EQ(translate_postback(parameters), std::nullopt);

    EXPECT_THAT(
        parameters,
        testing::UnorderedElementsAre(
            testing::Pair("attributes.click_id", "k"), testing::Pair("attributes.event", "signup"),
            testing::Pair("value_micros", "5000000"), testing::Pair("timestamp", "1705327000000"),
            testing::Pair("event_id", "txid:2:signup:9"), testing::Pair("campaign_id", "2"),
            testing::Pair("user_id", "stays")));
}

TEST(Translation, KeepsAnIdThatIsGivenAndTheTransactionBesideIt) {
    Parameters parameters{{"txid", "9"}, {"event_id", "mine"}};

    EXPECT_EQ(translate_postback(parameters), std::nullopt);

    EXPECT_THAT(parameters, testing::UnorderedElementsAre(testing::Pair("event_id", "mine"),
                                                          testing::Pair("attributes.txid", "9")));
}

TEST(Translation, LeavesMillisecondsAndDatesAlone) {
    for (const char* text : {"1705327000123", "2024-01-15T14:03:22Z", "0", "nonsense"}) {
        Parameters parameters{{"ts", text}};
        EXPECT_EQ(translate_postback(parameters), std::nullopt);
        EXPECT_EQ(parameters[0].second, text);
    }
}

TEST(Tokens, AcceptWhatIsListedAndNothingElse) {
    PostbackTokens none({});
    PostbackTokens two({"alpha", "beta"});

    EXPECT_FALSE(none.required());
    EXPECT_TRUE(two.required());
    EXPECT_TRUE(two.accept("alpha"));
    EXPECT_TRUE(two.accept("beta"));
    for (const char* wrong : {"", "alph", "alphaa", "ALPHA", "alpha,beta"})
        EXPECT_FALSE(two.accept(wrong)) << wrong;
}

}  // namespace
}  // namespace adtally::collector
