/* The peer of `cargo xtask interop` in the guest: one connection over librdmacm. It does as the messages that arrive
 * say (see order.rs), until it is told to quit or the connection ends.
 *
 *   peer -s PORT        listens, and accepts one connection
 *   peer -c ADDRESS PORT connects
 *
 * Standard output has one line for each thing that happens. The exit code is 0 when it was told to quit. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <rdma/rdma_cma.h>
#include <rdma/rdma_verbs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECEIVES = 16, ROOM = 1 << 16, SCRATCH = 1 << 21 };
enum task { ECHO, REGISTER, WRITE, READ, INVALIDATE, SUM, SEND, SOLICITED, QUIT };

struct order {
	uint32_t task, stag;
	uint64_t offset;
	uint32_t length, value;
} __attribute__((packed));

static struct rdma_cm_id *id;
static char *receives, *scratch, *region;
static struct ibv_mr *receives_mr, *scratch_mr, *region_mr;

static void fail(const char *what)
{
	printf("failed %s: %s\n", what, strerror(errno));
	exit(1);
}

static void pattern(uint32_t value, char *bytes, size_t length)
{
	uint32_t state = value | 1;
	for (size_t i = 0; i < length; i++) {
		state = state * 1664525u + 1013904223u;
		bytes[i] = (char)(state >> 24);
	}
}

static uint32_t sum(const char *bytes, size_t length)
{
	uint32_t sum = 0x811c9dc5u;
	for (size_t i = 0; i < length; i++)
		sum = (sum ^ (uint8_t)bytes[i]) * 0x01000193u;
	return sum;
}

static void post_receive(uint64_t index)
{
	struct ibv_sge piece = { (uintptr_t)receives + index * ROOM, ROOM, receives_mr->lkey };
	struct ibv_recv_wr request = { .wr_id = index, .sg_list = &piece, .num_sge = 1 }, *bad;
	/* The queue pair may be in error by now: the flush of the others says so. */
	(void)ibv_post_recv(id->qp, &request, &bad);
}

/* Posts a request and waits for its end. Returns the status, 0 if it is good. */
static int carry(enum ibv_wr_opcode opcode, unsigned flags, uint32_t length, uint64_t place, uint32_t token)
{
	struct ibv_sge piece = { (uintptr_t)scratch, length, scratch_mr->lkey };
	struct ibv_send_wr request = { .sg_list = &piece, .num_sge = 1, .opcode = opcode,
				       .send_flags = IBV_SEND_SIGNALED | flags }, *bad;
	struct ibv_wc done;
	if (opcode == IBV_WR_SEND_WITH_INV)
		request.invalidate_rkey = token;
	request.wr.rdma.remote_addr = place;
	request.wr.rdma.rkey = token;
	if (ibv_post_send(id->qp, &request, &bad)) {
		printf("post refused: %s\n", strerror(errno));
		return -1;
	}
	if (rdma_get_send_comp(id, &done) != 1)
		fail("completion");
	if (done.status)
		printf("ended: %s\n", ibv_wc_status_str(done.status));
	return done.status;
}

static int answer(enum ibv_wr_opcode opcode, unsigned flags, struct order order, uint32_t token)
{
	memcpy(scratch, &order, sizeof order);
	return carry(opcode, flags, sizeof order, 0, token);
}

static void obey(const char *message, uint32_t received)
{
	struct order order;
	memcpy(&order, message, sizeof order);
	uint32_t task = ntohl(order.task), stag = ntohl(order.stag);
	uint32_t length = ntohl(order.length), value = ntohl(order.value);
	uint64_t offset = be64toh(order.offset);
	if (length > SCRATCH)
		length = SCRATCH;
	printf("task %" PRIu32 ", %" PRIu32 " bytes\n", task, received);
	switch (task) {
	case ECHO:
		memcpy(scratch, message, received);
		(void)carry(IBV_WR_SEND, 0, received, 0, 0);
		break;
	case REGISTER:
		region = malloc(length);
		region_mr = ibv_reg_mr(id->pd, region, length,
				       IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE);
		if (!region || !region_mr)
			fail("memory");
		pattern(value, region, length);
		order.stag = htonl(region_mr->rkey);
		order.offset = htobe64((uintptr_t)region);
		(void)answer(IBV_WR_SEND, 0, order, 0);
		break;
	case WRITE:
		pattern(value, scratch, length);
		if (!carry(IBV_WR_RDMA_WRITE, 0, length, offset, stag))
			(void)answer(IBV_WR_SEND, 0, order, 0);
		break;
	case READ:
		if (!carry(IBV_WR_RDMA_READ, 0, length, offset, stag)) {
			order.value = htonl(sum(scratch, length));
			(void)answer(IBV_WR_SEND, 0, order, 0);
		}
		break;
	case INVALIDATE:
		(void)answer(IBV_WR_SEND_WITH_INV, value ? IBV_SEND_SOLICITED : 0, order, stag);
		break;
	case SUM:
		order.value = htonl(sum(region, length));
		(void)answer(IBV_WR_SEND, 0, order, 0);
		break;
	case SEND:
		pattern(value, scratch, length);
		(void)carry(IBV_WR_SEND, 0, length, 0, 0);
		break;
	case SOLICITED:
		(void)answer(IBV_WR_SEND, IBV_SEND_SOLICITED, order, 0);
		break;
	case QUIT:
		(void)rdma_disconnect(id);
		puts("quit");
		exit(0);
	default:
		errno = EINVAL;
		fail("order");
	}
}

int main(int count, char **words)
{
	int listens = count == 3 && !strcmp(words[1], "-s");
	if (!listens && (count != 4 || strcmp(words[1], "-c")))
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);

	struct rdma_addrinfo hints = { .ai_port_space = RDMA_PS_TCP, .ai_flags = listens ? RAI_PASSIVE : 0 }, *at;
	struct ibv_qp_init_attr queues = {
		.cap = { .max_send_wr = 16, .max_recv_wr = RECEIVES, .max_send_sge = 1, .max_recv_sge = 1 },
		.sq_sig_all = 1,
	};
	struct rdma_conn_param limits = { .responder_resources = 8, .initiator_depth = 8, .private_data = "peer.c",
					  .private_data_len = 6 };
	struct rdma_cm_id *listener;
	if (rdma_getaddrinfo(listens ? NULL : words[2], words[count - 1], &hints, &at))
		fail("address");
	if (rdma_create_ep(listens ? &listener : &id, at, NULL, &queues))
		fail("endpoint");
	if (listens) {
		if (rdma_listen(listener, 1))
			fail("listen");
		puts("listening");
		if (rdma_get_request(listener, &id))
			fail("request");
	}
	receives = calloc(RECEIVES, ROOM);
	scratch = calloc(1, SCRATCH);
	receives_mr = ibv_reg_mr(id->pd, receives, RECEIVES * ROOM, IBV_ACCESS_LOCAL_WRITE);
	scratch_mr = ibv_reg_mr(id->pd, scratch, SCRATCH, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	if (!receives_mr || !scratch_mr)
		fail("memory");
	for (uint64_t index = 0; index < RECEIVES; index++)
		post_receive(index);
	if (listens ? rdma_accept(id, &limits) : rdma_connect(id, &limits))
		fail(listens ? "accept" : "connect");
	puts("connected");
	/* An initiator speaks first, unless the connection is peer-to-peer. */
	if (!listens && answer(IBV_WR_SEND, 0, (struct order){ 0 }, 0))
		fail("hello");

	for (;;) {
		struct ibv_wc done;
		if (rdma_get_recv_comp(id, &done) != 1)
			fail("completion");
		if (done.status) {
			printf("flushed: %s\n", ibv_wc_status_str(done.status));
			return 3;
		}
		obey(receives + done.wr_id * ROOM, done.byte_len);
		post_receive(done.wr_id);
	}
}
