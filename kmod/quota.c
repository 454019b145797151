// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes that a user, and all users together, may hold.
 *
 * The memory control group limits what a container takes from the machine; the
 * quota limits how much of the machine's memory can be unmovable at all. What
 * is in quarantine is not free, and stays charged.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/hashtable.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "safer_ring.h"

/**
 * struct sring_quota_user - what one user holds
 * @node: entry in sring_quota_users
 * @uid: the user
 * @bytes: charged
 * @regions: number of charges that are not put; the entry goes with the last
 */
struct sring_quota_user {
	struct hlist_node node;
	kuid_t uid;
	u64 bytes;
	unsigned int regions;
};

static DEFINE_SPINLOCK(sring_quota_lock);
static DEFINE_HASHTABLE(sring_quota_users, 6);
static u64 sring_quota_total;

static struct sring_quota_user *sring_quota_find(kuid_t uid)
{
	struct sring_quota_user *user;

	lockdep_assert_held(&sring_quota_lock);
	hash_for_each_possible(sring_quota_users, user, node, __kuid_val(uid))
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

/* Whether @bytes more fit below @limit, of which @used are taken. */
static bool sring_quota_fits(u64 used, u64 bytes, u64 limit)
{
	return used <= limit && bytes <= limit - used;
}

/**
 * sring_quota_charge - charge the calling user
 * @bytes: to be charged
 *
 * CAP_IPC_LOCK in the initial user namespace lifts the user's limit, but not
 * that of all users together.
 *
 * Return: the user, to be given to sring_quota_uncharge() and at last, once, to
 * sring_quota_put(); or ERR_PTR of -EDQUOT or -ENOMEM.
 */
struct sring_quota_user *sring_quota_charge(u64 bytes)
{
	struct sring_quota_user *fresh, *user;
	bool unlimited = ns_capable_noaudit(&init_user_ns, CAP_IPC_LOCK);
	kuid_t uid = current_uid();
	bool fits;

	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh)
		return ERR_PTR(-ENOMEM);
	fresh->uid = uid;

	spin_lock(&sring_quota_lock);
	user = sring_quota_find(uid) ?: fresh;
	fits = unlimited ||
	       sring_quota_fits(user->bytes, bytes, sring_param_quota_user());
	fits = fits && sring_quota_fits(sring_quota_total, bytes,
					sring_param_quota_total());
	if (fits) {
		if (user == fresh)
			hash_add(sring_quota_users, &user->node,
				 __kuid_val(uid));
		user->bytes += bytes;
		user->regions++;
		sring_quota_total += bytes;
	}
	spin_unlock(&sring_quota_lock);

	if (!fits || user != fresh)
		kfree(fresh);
	return fits ? user : ERR_PTR(-EDQUOT);
}

/**
 * sring_quota_uncharge - give back a part of a charge
 * @user: as sring_quota_charge() gave it
 * @bytes: not more than are left of the charge
 */
void sring_quota_uncharge(struct sring_quota_user *user, u64 bytes)
{
	spin_lock(&sring_quota_lock);
	user->bytes -= bytes;
	sring_quota_total -= bytes;
	spin_unlock(&sring_quota_lock);
}

/**
 * sring_quota_put - end a charge of which nothing is left
 * @user: as sring_quota_charge() gave it
 */
void sring_quota_put(struct sring_quota_user *user)
{
	bool last;

	spin_lock(&sring_quota_lock);
	last = !--user->regions;
	if (last)
		hash_del(&user->node);
	spin_unlock(&sring_quota_lock);
	if (last)
		kfree(user);
}

/**
 * sring_quota_usage - what the calling user and all users hold
 * @usage: to be filled
 */
void sring_quota_usage(struct sring_quota_usage *usage)
{
	struct sring_quota_user *user;

	spin_lock(&sring_quota_lock);
	user = sring_quota_find(current_uid());
	usage->user = user ? user->bytes : 0;
	usage->total = sring_quota_total;
	spin_unlock(&sring_quota_lock);
}
