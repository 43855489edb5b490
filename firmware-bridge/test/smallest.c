/* The smallest node: what it takes over an empty program is what the link and its board take. Also what the times of an
   exchange are measured with. */
#include <jstp_link.h>

static bool lit;

static void led(const jl_call *call) {
  if (call->method == JL_PUT) lit = call->body.number;
  jl_reply(200);
  jl_put_bool(lit);
}

static const jl_resource resources[] JL_FLASH = {{"led", JL_ALONE, JL_CAN_GET | JL_CAN_PUT, "", 0, 0, led}};

void setup(void) { JL_BEGIN("small", resources); }
void loop(void) { jl_poll(); }
