#include "call/loop_leg.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "support/hand_loop.hpp"

using namespace tandem;
using namespace tandem::call;
using tandem::test::HandLoop;

namespace {

;

/// Writes down what an end is told.
struct Listener final : LegEvents {
  std::vector<std::string> told;
  void note(const std::string& what, std::string_view body = {}) {
    told.push_back(body.empty() ? what : what + " " + std::string(body));
  }
  void on_progress(Leg&, const Progress& p) override { note(std::to_string(p.status)); }
  void on_answer(Leg&, const Answer& a) override { note("answer", a.body.bytes); }
  void on_failure(Leg&, const Failure& f) override { note("failure " + std::to_string(f.status)); }
  void on_cancel(Leg&, const Release&) override { note("cancel"); }
  void on_confirmed(Leg&, const SessionBody& body) override { note("confirmed", body.bytes); }
  void on_release(Leg&, const Release& r) override {
    note("release " + std::to_string(r.q850_cause));
  }
  void on_reoffer(Leg&, const Reoffer& r) override { note("reoffer", r.body.bytes); }
  void on_reoffer_result(Leg&, int status, const SessionBody& body) override {
    note("result " + std::to_string(status), body.bytes);
  }
  void on_request(Leg&, const DialogRequest& r) override { note(std::string(r.method)); }
  void on_request_result(Leg&, int status, const SessionBody&) override {
    note("request " + std::to_string(status));
  }
};

LoopFacts facts() { return {"call", {}, true, "phone"}; }

}  // namespace

TEST_CASE("Loop leg: two workers' ends behave as two legs with a network between (T-05)") {
  HandLoop a, b;
  std::atomic<bool> is_closed{false};
  Listener at_a, at_b;
  auto [out, in] = make_loop(a, b, is_closed, facts(), at_a);
  in->set_events(at_b);
  CHECK(out->call_id() == "call");
  CHECK(in->product() == "phone");
  in->answer({"application/sdp", "one"}, {});
  CHECK(at_a.told.empty());
  a.turn();
  b.turn();
  CHECK(at_a.told == std::vector<std::string>{"answer one"});
  CHECK(at_b.told == std::vector<std::string>{"confirmed"});
  out->reoffer({Reoffer::Method::reinvite, {"application/sdp", "two"}});
  b.turn();
  in->answer_reoffer(200, {"application/sdp", "three"});
  a.turn();
  CHECK(at_a.told.back() == "result 200 three");
  in->release(17);
  a.turn();
  CHECK(at_a.told.back() == "release 17");
  CHECK(out->is_over());
}

TEST_CASE(
    "Loop leg: an end that has no call yet is over all the same when the other one is (T-05)") {
  HandLoop a, b;
  std::atomic<bool> is_closed{false};
  Listener at_a;
  auto [out, in] = make_loop(a, b, is_closed, facts(), at_a);
  out->release(16);
  b.turn();
  CHECK(in->is_over());
  in->answer({"application/sdp", "late"}, {});
  in->reject(481, 0, 0);
  a.turn();
  CHECK(at_a.told.empty());
}

TEST_CASE("Loop leg: what the other loop has no room for comes later, in order (T-05)") {
  HandLoop a, b;
  std::atomic<bool> is_closed{false};
  Listener at_a, at_b;
  auto [out, in] = make_loop(a, b, is_closed, facts(), at_a);
  in->set_events(at_b);
  in->answer({"application/sdp", "x"}, {});
  a.turn();
  b.turn();
  b.turn();
  at_b.told.clear();
  b.room = 0;
  out->reoffer({Reoffer::Method::reinvite, {"application/sdp", "1"}});
  out->request({"INFO", {}, {}, nullptr});
  a.turn();
  b.room = 1;
  out->release(16);
  for (int turn = 0; turn < 6; ++turn) {
    a.turn();
    b.turn();
  }
  CHECK(at_b.told == std::vector<std::string>{"reoffer 1", "INFO", "release 16"});
  CHECK(a.waiting() == 0);
}

TEST_CASE("Loop leg: nothing is told when the loops are about to go (T-05)") {
  HandLoop a, b;
  std::atomic<bool> is_closed{false};
  Listener at_a, at_b;
  auto [out, in] = make_loop(a, b, is_closed, facts(), at_a);
  in->set_events(at_b);
  is_closed = true;
  out.reset();
  in.reset();
  CHECK(a.waiting() == 0);
  CHECK(b.waiting() == 0);
}

TEST_CASE("Loop leg: the ends live on threads of their own (T-05)") {
  const auto network = io::make_system_network();
  const std::unique_ptr<io::Loop> a = network->create_loop("a").value();
  const std::unique_ptr<io::Loop> b = network->create_loop("b").value();
  std::atomic<bool> is_closed{false};

  /// Answers every change; the other end asks for a hundred and hangs up.
  struct Answers final : LegEvents {
    std::unique_ptr<Leg> leg;
    std::promise<int> done;
    int changes = 0;
    void on_progress(Leg&, const Progress&) override {}
    void on_answer(Leg&, const Answer&) override {}
    void on_failure(Leg&, const Failure&) override {}
    void on_cancel(Leg&, const Release&) override {}
    void on_confirmed(Leg&, const SessionBody&) override {}
    void on_release(Leg&, const Release&) override { done.set_value(changes); }
    void on_reoffer(Leg& from, const Reoffer& offer) override {
      ++changes;
      from.answer_reoffer(200, offer.body);
    }
    void on_reoffer_result(Leg&, int, const SessionBody&) override {}
    void on_request(Leg&, const DialogRequest&) override {}
    void on_request_result(Leg&, int, const SessionBody&) override {}
  } answers;
  struct Asks final : LegEvents {
    std::unique_ptr<Leg> leg;
    int left = 100;
    void on_progress(Leg&, const Progress&) override {}
    void on_answer(Leg& from, const Answer&) override { ask(from); }
    void on_failure(Leg&, const Failure&) override {}
    void on_cancel(Leg&, const Release&) override {}
    void on_confirmed(Leg&, const SessionBody&) override {}
    void on_release(Leg&, const Release&) override {}
    void on_reoffer(Leg&, const Reoffer&) override {}
    void on_reoffer_result(Leg& from, int, const SessionBody&) override { ask(from); }
    void on_request(Leg&, const DialogRequest&) override {}
    void on_request_result(Leg&, int, const SessionBody&) override {}
    void ask(Leg& from) {
      if (left-- > 0) {
        from.reoffer({Reoffer::Method::reinvite, {"application/sdp", "v=0"}});
      } else {
        from.release(16);
      }
    }
  } asks;

  REQUIRE(a->post([&] {
             auto [out, in] = make_loop(*a, *b, is_closed, facts(), asks);
             asks.leg = std::move(out);
             const auto held = std::make_shared<std::unique_ptr<Leg>>(std::move(in));
             (void)b->post([&answers, held] {
               answers.leg = std::move(*held);
               answers.leg->set_events(answers);
               answers.leg->answer({"application/sdp", "v=0"}, {});
             });
           }).ok());
  a->start();
  b->start();
  CHECK(answers.done.get_future().get() == 100);
  a->stop();
  b->stop();
  is_closed = true;
  asks.leg.reset();
  answers.leg.reset();
}
