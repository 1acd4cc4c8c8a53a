/* SPDX-License-Identifier: MIT */
/* audit_world: see host/audit_world.h. */
#include <host/audit_world.h>
#include <kernel/addrspace.h>
#include <kernel/kstack.h>

struct audit_world world = {.nr_extra_claims = 1};

static u32 user_count(const void *obj)
{
	return ((const struct world_user *)obj)->count;
}

static void claim_user(struct claims *claims, const struct world_user *user, struct holder holder)
{
	while (claim_ref(claims, user, REF_FD, holder) && user->next) {
		holder = HOLDER(0, kmem_object_number(user));
		user = user->next;
	}
}

static void world_claims(struct claims *claims)
{
	if (!world.skip_mm)
		mm_claim(claims, world.mm);
	if (world.other_mm)
		mm_claim(claims, world.other_mm);
	if (!world.skip_user)
		claim_user(claims, world.user, HOLDER(4, 1));
	if (world.claim_user_twice)
		claim_user(claims, world.user, HOLDER(5, 1));
	if (!world.skip_page)
		claim_page(claims, world.cache_page, REF_CACHE, HOLDER(12, 3));
	if (world.claim_twice)
		claim_page(claims, world.cache_page, REF_IO, HOLDER(1, 3));
	for (u32 i = 0; i < ARRAY_SIZE(world.things); i++)
		if (i != 1 || !world.skip_thing)
			claim_object(claims, world.things[i]);
	for (u32 i = 0; world.extra_ref && i < world.nr_extra_claims; i++)
		claim_page(claims, world.extra_page, world.extra_ref, world.extra_holder);
	if (world.extra_object)
		claim_object(claims, world.extra_object);
}

static void task_claims(struct claims *claims)
{
	if (!world.skip_stack)
		kstack_claim(claims, world.stack, 4);
}

int world_boot(void **state)
{
	host_boot(16UL << 20, 2);
	addrspace_init();
	world.thing_cache = kmem_cache_create("thing", 64);
	audit_register("world", CLAIMS_OF_PROGRAMS, world_claims);
	audit_register("world", CLAIMS_OF_PROGRAMS, world_claims); /* once is enough */
	audit_register("task", CLAIMS_OF_KERNEL, task_claims);
	world.mm = mm_create(4);
	assert_int_equal(mm_map(world.mm, 0x10000, 0x20000, VMA_READ | VMA_WRITE, NULL, NULL, 0), 0);
	for (uaddr_t ua = 0x10000; ua < 0x18000; ua += 0x1000)
		assert_int_equal(mm_fault(world.mm, ua, true, false), 0);
	world.stack = kstack_alloc(4);
	world.cache_page = page_alloc(0, PK_PAGECACHE, REF_CACHE, HOLDER(12, 3), ALLOC_ZEROED);
	for (u32 i = 0; i < ARRAY_SIZE(world.things); i++)
		world.things[i] = kmem_cache_alloc(world.thing_cache, HOLDER_NONE, 0);
	world.user_cache = kmem_cache_create("user", sizeof(struct world_user));
	kmem_cache_set_counted(world.user_cache, user_count);
	world.user = kmem_cache_alloc(world.user_cache, HOLDER_NONE, 0);
	world.user->count = 1;
	assert_non_null(world.stack);
	return 0;
}

struct audit_result *world_audit(u32 flags)
{
	struct audit_result *result;

	audit_lock();
	result = audit_run_locked(flags);
	audit_unlock();
	assert_int_equal(host_world_stopped, 0);
	return result;
}

int world_is_clean(void **state)
{
	const struct audit_result *result = world_audit(AUDIT_POISON);

	if (result->nr_findings)
		fail_msg("%u findings in a healthy world, first %s at pfn 0x%x", result->nr_findings,
			 verdict_name(result->findings[0].verdict), result->findings[0].pfn);
	assert_true(result->quiet);
	assert_int_equal(result->identity_difference, 0);
	host_log_clear();
	return 0;
}
