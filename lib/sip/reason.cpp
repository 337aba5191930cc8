#include "sip/reason.hpp"

namespace tandem::sip {

std::string_view q850_text(int cause) noexcept {
  switch (cause) {
    case 1:
      return "Unallocated (unassigned) number";
    case 2:
      return "No route to specified transit network";
    case 3:
      return "No route to destination";
    case 16:
      return "Normal call clearing";
    case 17:
      return "User busy";
    case 18:
      return "No user responding";
    case 19:
      return "No answer from user (user alerted)";
    case 20:
      return "Subscriber absent";
    case 21:
      return "Call rejected";
    case 22:
      return "Number changed";
    case 25:
      return "Exchange routing error";
    case 26:
      return "Non-selected user clearing";
    case 27:
      return "Destination out of order";
    case 28:
      return "Invalid number format (address incomplete)";
    case 29:
      return "Facility rejected";
    case 31:
      return "Normal, unspecified";
    case 34:
      return "No circuit/channel available";
    case 38:
      return "Network out of order";
    case 41:
      return "Temporary failure";
    case 42:
      return "Switching equipment congestion";
    case 44:
      return "Requested circuit/channel not available";
    case 47:
      return "Resource unavailable, unspecified";
    case 50:
      return "Requested facility not subscribed";
    case 55:
      return "Incoming calls barred within CUG";
    case 57:
      return "Bearer capability not authorized";
    case 58:
      return "Bearer capability not presently available";
    case 63:
      return "Service or option not available, unspecified";
    case 65:
      return "Bearer capability not implemented";
    case 69:
      return "Requested facility not implemented";
    case 79:
      return "Service or option not implemented, unspecified";
    case 88:
      return "Incompatible destination";
    case 95:
      return "Invalid message, unspecified";
    case 102:
      return "Recovery on timer expiry";
    case 111:
      return "Protocol error, unspecified";
    case 127:
      return "Interworking, unspecified";
    default:
      return {};
  }
}

}  // namespace tandem::sip
