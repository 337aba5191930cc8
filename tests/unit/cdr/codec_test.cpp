#include <doctest/doctest.h>

#include "cdr/cdr_codec.hpp"
#include "cdr/records.hpp"
#include "cdr/wire.hpp"
#include "sample_cdr.hpp"

using namespace tandem;
using namespace tandem::cdr;

TEST_CASE("records: any record comes back as it was written (C-01)") {
  SeededRandom random(1);
  for (int round = 0; round < 2'000; ++round) {
    const std::uint64_t call_id = random.next();
    const AnswerRecord answer{call_id, test::any_cdr(random), test::any_text(random)};
    auto read_answer = decode_answer(encode(answer));
    REQUIRE(read_answer.ok());
    CHECK(*read_answer == answer);

    EndRecord end{call_id, test::any_cdr(random)};
    auto read_end = decode_end(encode(end), 77);
    REQUIRE(read_end.ok());
    end.cdr.record_id = 77;
    CHECK(*read_end == end);
    CHECK(decode_call_id(encode(end)).value() == call_id);

    const MarkRecord mark{call_id, test::any_integer(random), test::any_integer(random),
                          test::any_text(random)};
    auto read_mark = decode_mark(encode(mark));
    REQUIRE(read_mark.ok());
    CHECK(*read_mark == mark);

    const PaymentRecord payment{
        test::any_text(random) + "a", Amount::from_units(test::any_integer(random)),
        test::any_text(random),       test::any_text(random),
        test::any_integer(random),    static_cast<LedgerKind>(1 + random.next() % 12),
        test::any_text(random),       Amount::from_units(test::any_integer(random))};
    auto read_payment = decode_payment(encode(payment));
    REQUIRE(read_payment.ok());
    CHECK(*read_payment == payment);
  }
}

TEST_CASE("records: a payment of before there were kinds is a payment or a deduction (B-03)") {
  for (const std::int64_t units : {500, -500}) {
    std::string bytes;
    WireWriter writer(bytes);
    writer.text("acme");
    writer.integer(units);
    writer.text("memo");
    writer.text("");
    writer.integer(1);
    const auto read = decode_payment(bytes);
    REQUIRE(read.ok());
    CHECK(read->kind == (units > 0 ? LedgerKind::payment : LedgerKind::deduction));
    CHECK(read->reference.empty());
  }
  PaymentRecord later{"acme", Amount::from_units(1),       "", "",
                      1,      static_cast<LedgerKind>(77), "", {}};
  CHECK(decode_payment(encode(later)).error().code == ErrorCode::unsupported);
}

TEST_CASE("records: what a later release adds at the end is skipped") {
  SeededRandom random(2);
  for (int round = 0; round < 200; ++round) {
    const Cdr cdr = test::any_cdr(random);
    std::string bytes;
    encode_cdr(cdr, bytes);
    bytes += test::any_text(random);
    auto read = decode_cdr(bytes);
    REQUIRE(read.ok());
    CHECK(*read == cdr);
    const MarkRecord mark{1, 2, 3, "x"};
    CHECK(decode_mark(encode(mark) + "more").value() == mark);
  }
}

TEST_CASE("records: an incompatible later format is refused by name") {
  std::string bytes;
  encode_cdr(Cdr{}, bytes);
  bytes[0] = 2;
  auto read = decode_cdr(bytes);
  REQUIRE_FALSE(read.ok());
  CHECK(read.error().code == ErrorCode::unsupported);
}

TEST_CASE("records: damaged payloads are refused or read as something, never more") {
  SeededRandom random(3);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = encode(EndRecord{9, test::any_cdr(random)});
    for (int i = 0; i < 3; ++i)
      bytes[random.below(bytes.size())] = static_cast<char>(random.below(256));
    bytes.resize(random.below(bytes.size() + 1));
    auto read = decode_end(bytes, 1);
    if (!read)
      CHECK(
          (read.error().code == ErrorCode::corrupt || read.error().code == ErrorCode::unsupported));
  }
  CHECK(decode_end("", 1).error().code == ErrorCode::corrupt);
}

TEST_CASE("wire: a count of more values than there are bytes for is malformed") {
  std::string bytes;
  WireWriter(bytes).number(3);
  bytes += "six bytes and six.";
  WireReader fits(bytes);
  CHECK(fits.count(6) == 3);
  CHECK_FALSE(fits.is_bad());
  WireReader does_not(bytes);
  CHECK(does_not.count(7) == 0);
  CHECK(does_not.is_bad());
  CHECK(WireReader("").count(1) == 0);
}

TEST_CASE("wire: numbers take the bytes that they need and come back") {
  std::string bytes;
  WireWriter writer(bytes);
  writer.number(127);
  CHECK(bytes.size() == 1);
  writer.number(128);
  CHECK(bytes.size() == 3);
  writer.number(UINT64_MAX);
  writer.integer(INT64_MIN);
  writer.integer(-1);
  writer.time(INT64_MIN, INT64_MAX);
  WireReader reader(bytes);
  CHECK(reader.number() == 127);
  CHECK(reader.number() == 128);
  CHECK(reader.number() == UINT64_MAX);
  CHECK(reader.integer() == INT64_MIN);
  CHECK(reader.integer() == -1);
  CHECK(reader.time(INT64_MAX) == INT64_MIN);
  CHECK(reader.is_at_end());
  CHECK(reader.number() == 0);
  CHECK_FALSE(reader.is_bad());
  WireReader too_long("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02");
  (void)too_long.number();
  CHECK(too_long.is_bad());
}
