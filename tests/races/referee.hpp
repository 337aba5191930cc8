// Watches every message of a switch on the wire and says where it left the state machines of
// RFC 3261, 3262, 3311 and 6026. The other ends may do what they like.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "races/packet.hpp"

namespace tandem::races {

class Referee {
 public:
  /// `is_lenient`: of messages of the two ends at one instant nobody can say which came first, so
  /// nothing is said of them.
  explicit Referee(bool is_lenient) : is_lenient_(is_lenient) {}

  /// `peer`: address of the other end.
  void on_sent_by_switch(const Packet& packet, const std::string& peer, std::int64_t now_us);
  void on_received_by_switch(const Packet& packet, const std::string& peer, std::int64_t now_us);
  /// Everything is at rest: what is missing?
  void on_rest(std::int64_t now_us);

  /// Rules that were broken, one line each, the first 20.
  [[nodiscard]] const std::vector<std::string>& breaches() const { return breaches_; }
  /// Final status that the INVITE which began the dialog with that Call-ID was answered with; 0:
  /// none, and when that was.
  [[nodiscard]] int answered_with(const std::string& call_id) const;
  [[nodiscard]] std::int64_t answered_at_us(const std::string& call_id) const;
  [[nodiscard]] std::size_t packets() const { return packets_; }

 private:
  struct ServerSide {                                // a request that the switch got
    std::string method, tag, to_tag, last_reliable;  // `tag`: the peer's
    std::uint32_t cseq = 0, rseq = 0;
    int final_status = 0;
    std::string final_bytes;
    std::int64_t at_us = 0, final_us = 0;
    bool is_acked = false, is_initial = false, has_offer = false, has_answered = false;
    bool awaits_prack = false, awaits_description = false;
  };
  struct Answer {
    int unacknowledged = 0;           // that came since the last ACK
    bool needs_answer = false;        // it brought an offer
    std::int64_t silent_ack_us = -1;  // when an ACK brought no answer
  };
  struct ClientSide {                        // a request that the switch sent
    std::string method, bytes, branch, tag;  // `tag`: the peer's
    std::uint32_t cseq = 0;
    bool is_initial = false, has_provisional = false, has_offer = false, is_cancelled = false;
    bool was_answered = false;
    int final_status = 0;
    std::string final_tag;
    std::int64_t at_us = 0, final_us = 0, cancelled_us = 0;
    int refusals = 0, acked = 0;
    std::map<std::string, Answer> answers;          // by To tag
    std::map<std::string, std::uint32_t> reliable;  // RSeq by To tag that PRACK is due for or came
    std::set<std::string> pracked;                  // "tag rseq"
  };
  struct Leg {
    bool is_called = false;                    // the switch got the INVITE
    std::int64_t received_us = -1;             // last, by the switch
    std::map<std::string, ServerSide> server;  // by method and branch
    std::map<std::string, ClientSide> client;
    std::map<std::string, std::uint32_t> cseq;     // of the switch, by tag of the peer
    std::map<std::string, std::int64_t> bye_sent;  // when, by tag of the peer
    std::set<std::string> bye_got;                 // likewise
  };

  void breach(const Leg& leg, const Packet& packet, const std::string& what);
  void check_response(Leg& leg, const Packet& packet, std::int64_t now_us);
  void check_request(Leg& leg, const Packet& packet, std::int64_t now_us);
  void check_ack(Leg& leg, const Packet& packet);
  void check_cancel(Leg& leg, const Packet& packet, std::int64_t now_us);
  void check_new(Leg& leg, const Packet& packet, std::int64_t now_us);
  [[nodiscard]] bool has_open_offer(const Leg& leg, const std::string& tag,
                                    std::int64_t now_us) const;
  [[nodiscard]] const ServerSide* initial_server(const Leg& leg) const;
  [[nodiscard]] const ClientSide* initial_client(const Leg& leg) const;

  std::map<std::string, Leg> legs_;  // by Call-ID
  std::vector<std::string> breaches_;
  std::size_t packets_ = 0;
  std::int64_t now_us_ = 0;
  const bool is_lenient_;
  bool is_at_rest_ = false;
};

}  // namespace tandem::races
