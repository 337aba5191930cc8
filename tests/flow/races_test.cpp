// Orders of events that went wrong once, found by tests/races or by a reader. Each names the peer
// that does so.
#include <doctest/doctest.h>

#include <string>

#include "races/scene.hpp"

using namespace tandem::races;

namespace {

/// What was wrong with that order of acts, one a line; "" for nothing.
std::string play(const char* setting, const char* acts) {
  const Setting* const found = find_setting(setting);
  REQUIRE(found != nullptr);
  const auto wanted = split_acts(acts);
  const Outcome outcome = Scene(*found).replay(wanted);
  // An act that is not possible any more would make a test of something else.
  CHECK(outcome.played.size() == wanted.size() + 1);
  std::string text;
  for (const std::string& breach : outcome.breaches)
    text += breach + "\n";
  return text;
}

}  // namespace

TEST_CASE("Races: the checker sees what breaks the rules") {
  Referee referee(false);
  const auto packet = [](const char* start, const char* to, const char* cseq) {
    return read_packet(std::string(start) + " SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK" + cseq +
                       "\r\nFrom: <sip:x>;tag=x\r\nTo: <sip:y>" + to +
                       "\r\nCall-ID: 1\r\nCSeq: " + cseq + "\r\nContent-Length: 0\r\n\r\n");
  };
  referee.on_sent_by_switch(packet("INVITE sip:y", "", "1 INVITE"), "", 0);
  CHECK(referee.breaches().empty());
  referee.on_sent_by_switch(packet("BYE sip:y", ";tag=y", "1 BYE"), "", 0);
  referee.on_sent_by_switch(packet("BYE sip:y", ";tag=y", "2 BYE"), "", 0);
  REQUIRE(referee.breaches().size() == 3);
  CHECK(referee.breaches()[0].ends_with("comes before the answer"));
  CHECK(referee.breaches()[1].ends_with("follows our BYE"));
  CHECK(referee.breaches()[2].ends_with("comes before the answer"));
}

// A vendor whose answer to a re-INVITE was on its way when the caller hung up.
TEST_CASE("Races: a change of the session that is agreed to after the end gets its ACK alone") {
  CHECK(play("plain", "b.200 a.ack a.inv a.bye rest") == "");
  CHECK(play("plain", "b.200 a.ack a.inv b.bye rest") == "");
  CHECK(play("plain", "b.200 a.ack b.inv b.bye rest") == "");
}

// A vendor that offers in its 200 and hangs up while the caller's ACK is still to come.
TEST_CASE("Races: an answer whose offer nobody answered any more gets its ACK") {
  CHECK(play("late", "b.200 b.bye rest") == "");
  CHECK(play("plain", "b.200 a.ack b.inv0 b.off rest") == "");
}

// A phone whose ACK comes behind our BYE, as when the other side hangs up just after a hold.
TEST_CASE("Races: the 200 to a re-INVITE is not repeated once its dialog has been ended") {
  CHECK(play("plain", "b.200 a.ack a.inv b.ok s.end rest") == "");
  CHECK(play("plain", "b.200 a.ack b.inv a.ok a.bye rest") == "");
}

// A network that holds a request back and delivers it twice.
TEST_CASE("Races: a request out of order is answered the same when it comes again") {
  CHECK(play("plain", "b.200 a.stale a.dup rest") == "");
}

// A caller that went away between its PRACK and its ACK, while the vendor changes the session.
TEST_CASE("Races: a caller that is lost before its ACK gets no BYE before that is overdue") {
  CHECK(play("rel100", "b.183r a.prack b.upd b.200 silence") == "");
}

// The same vendor, when our ACK of its late answer got lost.
TEST_CASE("Races: an answer that nobody waits for gets its ACK each time it comes") {
  CHECK(play("plain", "b.200 a.ack a.inv a.bye b.ok b.dup rest") == "");
  CHECK(play("plain", "b.200 a.ack b.inv a.bye a.ok a.dup rest") == "");
}

// A vendor that changes the session before it answers, and answers while the CANCEL is on its way.
TEST_CASE("Races: an UPDATE of a vendor that answers too late gets a final response") {
  CHECK(play("rel100", "b.183r a.prack b.upd a.cancel b.200 rest") == "");
}

// A phone that takes a change without an offer back while the vendor has answered it.
TEST_CASE("Races: the offer of a vendor is answered though the change was cancelled") {
  CHECK(play("plain", "b.200 a.ack a.inv0 a.cancel rest") == "");
  CHECK(play("attended", "b.200 d.inv c.200 d.ack a.rep c.inv0 c.cancel rest") == "");
}

// A phone that asks for an offer, and leaves its transferred call before that has come.
TEST_CASE("Races: the offer that a transferor asked for is answered though it left") {
  CHECK(play("refer", "b.200 a.ack a.ref a.inv0 a.bye rest") == "");
}

// Who waits falls silent, and its re-INVITE times out: its dialog is ended, and not changed once
// more.
TEST_CASE(
    "Races: who waits for a transfer by keys and is gone gets a BYE, and no INVITE before it") {
  CHECK(play("keys", "b.200 a.ack a.ask c.200 b.ok a.ok a.two silence") == "");
}
