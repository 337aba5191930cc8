// PUBLISH (P-06, RFC 3903): taken and forgotten, with entity tags that hold what must be known.
#include <doctest/doctest.h>

#include "stack_fixture.hpp"

using namespace tandem;
using namespace tandem::sip;
using namespace tandem::sip::test;

namespace {

struct Bench {
  Stack stack;
  Peer peer{stack.network, "127.0.0.1:7000"};
  int requests = 0;

  explicit Bench(std::int32_t expires_s = 300) { stack.group->set_publish(expires_s); }
  /// What comes back to a PUBLISH. `extra`: further lines.
  std::unique_ptr<Received> publish(const std::string& extra, const std::string& body = "<x/>",
                                    const std::string& uri = "sip:1001@sw.example") {
    Peer::Request request;
    request.method = "PUBLISH";
    request.uri = uri;
    request.branch = "z9hG4bK" + std::to_string(++requests);
    request.call_id = request.branch;
    request.has_contact = false;
    request.content_type = "application/pidf+xml";
    request.body = body;
    request.extra = extra;
    peer.request(request);
    stack.run_ms(1);
    return peer.take();
  }
};

const std::string presence = "Event: presence\r\n";

}  // namespace

TEST_CASE(
    "Publish: it is refused where it was not allowed, and can be changed at any time (P-06)") {
  Bench bench(0);
  const auto refused = bench.publish(presence);
  CHECK(refused->what() == "405 PUBLISH");
  CHECK_FALSE(refused->value("Allow").empty());
  bench.stack.group->set_publish(60);
  CHECK(bench.publish(presence)->what() == "200 PUBLISH");
  bench.stack.group->set_publish(0);
  CHECK(bench.publish(presence)->what() == "405 PUBLISH");
}

TEST_CASE("Publish: one is made, refreshed, changed and taken back by its entity tag (P-06)") {
  Bench bench;
  const auto first = bench.publish(presence + "Expires: 3600\r\n");
  CHECK(first->what() == "200 PUBLISH");
  CHECK(first->value("Expires") == "300");
  const std::string tag(first->value("SIP-ETag"));
  REQUIRE_FALSE(tag.empty());
  bench.stack.run_ms(200'000);
  const auto refreshed = bench.publish(presence + "SIP-If-Match: " + tag + "\r\n", "");
  CHECK(refreshed->what() == "200 PUBLISH");
  const std::string later(refreshed->value("SIP-ETag"));
  CHECK(later != tag);
  bench.stack.run_ms(200'000);
  CHECK(bench.publish(presence + "SIP-If-Match: " + tag + "\r\n", "")->what() == "412 PUBLISH");
  const auto gone = bench.publish(presence + "Expires: 0\r\nSIP-If-Match: " + later + "\r\n", "");
  CHECK(gone->what() == "200 PUBLISH");
  CHECK(gone->value("Expires") == "0");
  CHECK(bench.publish(presence + "Expires: 60\r\n")->value("Expires") == "60");
  CHECK(bench.stack.transactions() == 0);
}

TEST_CASE(
    "Publish: an entity tag is of one resource and one package, and cannot be made up (P-06)") {
  Bench bench;
  const std::string tag(bench.publish(presence)->value("SIP-ETag"));
  const std::string match = "SIP-If-Match: " + tag + "\r\n";
  CHECK(bench.publish(presence + match, "", "sip:1002@sw.example")->what() == "412 PUBLISH");
  CHECK(bench.publish("Event: dialog\r\n" + match, "")->what() == "412 PUBLISH");
  for (const char* made_up : {"1", "ffffffffff-0", "ffffffffffffffff-1234567890abcdef", "-", "x"}) {
    CAPTURE(made_up);
    CHECK(bench.publish(presence + "SIP-If-Match: " + made_up + "\r\n", "")->what() ==
          "412 PUBLISH");
  }
  std::string later = tag;  // the same seal for another end
  later[later.find('-') - 1] = later[later.find('-') - 1] == 'f' ? 'e' : 'f';
  CHECK(bench.publish(presence + "SIP-If-Match: " + later + "\r\n", "")->what() == "412 PUBLISH");
}

TEST_CASE("Publish: what is no publication is refused with what is wrong with it (P-06)") {
  Bench bench;
  CHECK(bench.publish("")->what() == "489 PUBLISH");
  const auto unknown = bench.publish("Event: message-summary\r\n");
  CHECK(unknown->what() == "489 PUBLISH");
  CHECK(unknown->value("Allow-Events") == "presence, dialog");
  CHECK(bench.publish(presence, "")->what() == "400 PUBLISH");
  CHECK(bench.publish(presence + "Expires: 0\r\n")->what() == "400 PUBLISH");
  CHECK(bench.publish("o: presence;x=1\r\n")->what() == "200 PUBLISH");
  CHECK(bench.publish(presence + "Require: unknown-extension\r\n")->what() == "420 PUBLISH");
}
