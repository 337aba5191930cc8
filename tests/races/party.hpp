// One end of a call, made of raw SIP: it does what it is told, in the order of the rules or not.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "races/packet.hpp"
#include "tandem/sim.hpp"

namespace tandem::races {

/// Caller or callee of one call. Without being told it says only what no user agent thinks about:
/// ACK to a refusal, 200 to CANCEL, BYE, PRACK and to what changes no session, and what it said
/// before to whatever is repeated. All else is an act:
///
///   inv0     INVITE without an offer            inv      INVITE, or re-INVITE, with one
///   cancel   CANCEL of its INVITE               ack      ACK of the oldest 2xx without one
///   prack    PRACK of the oldest reliable 1xx   upd      UPDATE with an offer
///   bye      BYE                                info     INFO
///   stale    INFO with a CSeq that was used     ref      REFER to another number
///   rep      REFER to the other call in the place of `replaces`
///   ask      *2 NUMBER # in INFO, to speak with that number first
///   back     *0, to speak with who waits again      two      *#, to leave the two alone
///   180 183 180r 183r                           provisional responses, `r`: reliable; 183: SDP
///   200 486 503 487 302 401                     final responses to the INVITE that began it
///   183f 200f                                   the same of another branch, with another To tag
///   ok no glare gone                            200, 488, 491, 481 to the oldest change of session
///   dup      what it sent last once more
class Party {
 public:
  struct Settings {
    std::string name;     ///< One letter.
    std::string address;  ///< "IP:PORT".
    std::string callee;   ///< Of who calls; "": it is called.
    std::string call;     ///< A part of Call-IDs that is never used again.
    bool has_offer = true, has_rel100 = false, has_timer = false, challenges = false;
    std::string refer_to;  ///< URI.
    const Party* other_call = nullptr;
    const Party* replaced = nullptr;  ///< Whose place its INVITE asks for (RFC 3891).
    std::string ask_for;              ///< Number; "": it has no keys.
  };

  Party(Settings settings, sim::RawEndpoint& wire);

  [[nodiscard]] const std::string& name() const { return settings_.name; }
  [[nodiscard]] std::vector<std::string> acts() const;
  /// False: not possible now.
  bool act(std::string_view what);
  void receive(const sim::RawDatagram& datagram);
  /// Does one thing that is left to do before it would be at rest. `may_hang_up`: BYE is one.
  /// False: there is none.
  bool settle(bool may_hang_up);

  void set_other_call(const Party& call) { settings_.other_call = &call; }
  void set_replaced(const Party& party) { settings_.replaced = &party; }
  void lose_next() { ++to_lose_; }
  [[nodiscard]] bool is_losing() const { return to_lose_ > 0; }
  void turn_off() { is_off_ = true; }
  [[nodiscard]] bool is_off() const { return is_off_; }
  /// What went over its wire, in order.
  [[nodiscard]] const std::string& history() const { return history_; }
  [[nodiscard]] const std::string& call_id() const { return call_id_; }
  [[nodiscard]] const std::string& own_tag() const { return own_tag_; }
  [[nodiscard]] const std::string& peer_tag() const { return peer_tag_; }
  [[nodiscard]] bool was_answered() const { return is_up_; }

 private:
  struct Asked {  // by the switch
    Packet request;
    std::string tag;   // ours
    std::string last;  // response
    int final_status = 0;
    bool is_cancelled = false;
    bool is_initial = false;
    std::uint32_t rseq = 0;
    bool has_described = false;
  };
  struct Asking {  // the switch
    std::string raw, method, branch;
    std::uint32_t cseq = 0;
    int final_status = 0;
    bool is_initial = false, is_cancelled = false;
    bool has_offer = false;
    Packet answer;    // 2xx
    std::string ack;  // to it; "": not yet
    std::vector<Packet> reliable;
    std::size_t pracked = 0;
  };

  void send(const std::string& bytes);
  std::string next_branch();
  [[nodiscard]] std::string sdp() const;
  [[nodiscard]] std::string request(const std::string& method, std::uint32_t cseq,
                                    const std::string& branch, const std::string& lines,
                                    const std::string& body, const std::string& to_tag) const;
  void ask(const std::string& method, const std::string& lines, const std::string& body);
  void respond(Asked& asked, int status, const std::string& tag, bool with_sdp, bool reliably);
  void acknowledge(Asking& asking);
  void prack(Asking& asking);
  void press(std::string_view keys);
  void cancel(Asking& asking);
  void take_request(Packet packet);
  void take_response(Packet packet);
  [[nodiscard]] bool is_calling() const { return !settings_.callee.empty(); }
  Asked* initial_asked();
  Asking* initial_asking();
  Asked* open_change();
  Asking* unacknowledged();
  Asking* unpracked();
  [[nodiscard]] bool can(std::string_view what) const {
    return const_cast<Party*>(this)->do_(what, false);
  }
  bool do_(std::string_view what, bool really);

  Settings settings_;
  sim::RawEndpoint& wire_;
  SocketAddress to_;
  std::string call_id_, own_tag_, peer_tag_, target_;
  std::string own_, peer_;  // name-addrs without tags
  std::uint32_t cseq_ = 100;
  int branches_ = 0;
  std::vector<Asked> asked_;
  std::vector<Asking> asking_;
  std::string last_sent_, history_;
  bool is_up_ = false;  // 2xx sent or received
  bool has_sent_bye_ = false, has_got_bye_ = false;
  bool is_off_ = false;
  bool has_forked_ = false;
  int to_lose_ = 0;
  int repeats_ = 0, infos_ = 0, stales_ = 0, refers_ = 0, changes_ = 0;
  int asks_ = 0, orders_ = 0;  // by keys
};

}  // namespace tandem::races
